// SPDX-License-Identifier: Apache-2.0
#include "node/preflight/peers.h"

#include <unistd.h>

#include "tests/support/check_result.h"

using node::preflight::ask_peer;

TEST_GROUP(PreflightPeers){};

TEST(PreflightPeers, this_machine_answers_itself_at_once_and_whole) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    const auto answer = ask_peer(host);
    if (geteuid() != 0 && !answer) continue;  // it may not ask
    CHECK_TEXT(answer.has_value(), host);
    STRCMP_EQUAL(host, answer->address.c_str());
    CHECK_TEXT(answer->round_trip.has_value(), host);
    CHECK(*answer->round_trip < std::chrono::milliseconds(900));
    LONGS_EQUAL(node::preflight::kMtuWanted, answer->mtu);
  }
}

TEST(PreflightPeers, a_name_that_does_not_resolve_has_no_address) {
  const auto answer = ask_peer("a..b");
  CHECK(answer.has_value());
  CHECK(answer->address.empty());
  CHECK_FALSE(answer->round_trip.has_value());
}
