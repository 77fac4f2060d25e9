// SPDX-License-Identifier: Apache-2.0
#include "common/sys/http_client.h"

#include <mutex>
#include <vector>

#include "common/base/check.h"
#include "common/sys/http_request.h"

namespace sys {

namespace {

// Handles kept with their open connections; more callers at once than this get fresh ones.
constexpr std::size_t kIdleMax = 8;

}  // namespace

struct HttpClient::State {
  std::mutex mutex;
  std::vector<http::CurlEasy> idle;  // guarded by mutex

  http::CurlEasy take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        http::CurlEasy easy = std::move(idle.back());
        idle.pop_back();
        return easy;
      }
    }
    http::CurlEasy easy(curl_easy_init());
    CHECK_THAT(easy != nullptr);
    return easy;
  }

  void give_back(http::CurlEasy easy) {
    curl_easy_reset(easy.get());  // options go, connections stay
    const std::lock_guard lock(mutex);
    if (idle.size() < kIdleMax) idle.push_back(std::move(easy));
  }

  base::Result<HttpReply> perform(const HttpCall& call, http::Transfer::OnData on_data) {
    http::CurlEasy easy = take();
    http::Transfer transfer(call, std::move(on_data));
    TRY(transfer.prepare(easy.get()));
    base::Result<HttpReply> reply = transfer.finish(easy.get(), curl_easy_perform(easy.get()));
    give_back(std::move(easy));
    return reply;
  }
};

HttpClient::HttpClient() : state_(std::make_unique<State>()) { http::start_libcurl(); }
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

base::Result<HttpReply> HttpClient::send(const HttpCall& call) { return state_->perform(call, {}); }

base::Result<HttpReply> HttpClient::stream(const HttpCall& call,
                                           const std::function<bool(std::string_view)>& on_data) {
  return state_->perform(call, on_data);
}

}  // namespace sys
