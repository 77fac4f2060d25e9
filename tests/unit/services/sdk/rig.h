// SPDX-License-Identifier: Apache-2.0
// A client of the SDK, with ada's key, against the real service over HTTP.
#pragma once

#include <memory>

#include "services/sdk/security_client.h"
#include "tests/unit/services/security/front.h"

struct SdkRig : SecurityRig {
  std::unique_ptr<HttpFront> front;  // without it the service does not answer
  std::unique_ptr<sdk::SecurityClient> client;

  void setup() override {
    SecurityRig::setup();
    make_cast();
    front = std::make_unique<HttpFront>(*host);
    const Answer key = as("ada", rest::Method::post, "/accounts/$ada/apiKeys");
    client = std::make_unique<sdk::SecurityClient>(
        sdk::SecurityClient::Options{.url = front->url() + "/",
                                     .api_key = key.at("apiKey"),
                                     .api_secret = base::Secret(key.at("apiSecret")),
                                     .clock = &clock});
  }
  void teardown() override {
    front.reset();
    SecurityRig::teardown();
  }
};
