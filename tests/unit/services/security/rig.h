// SPDX-License-Identifier: Apache-2.0
// The security service on a real host with a store in memory: calls go through the whole pipeline,
// without HTTP; each answer is checked (reply_check.h). A cast of people in three organisations
// plays in most tests:
//
//   admin   the account of the first boot, ** in root
//   ada     acme's administrator: ** in acme
//   bob     somebody of acme without a right
//   eve     the administrator of another organisation
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/framework/running_host.h"
#include "services/security/service.h"
#include "tests/support/check_result.h"
#include "tests/support/services/reply_check.h"
#include "tests/support/services/still_time.h"
#include "tests/support/temp_folder.h"

struct SecurityRig : Utest {
  struct Answer {
    int status = 0;
    base::Json json;
    rest::Response raw;
    std::string text() const { return raw.body; }
    std::string at(const char* name) const {
      const auto found = json.is_object() ? json.find(name) : json.end();
      return found != json.end() && found->is_string() ? found->get<std::string>() : "";
    }
  };

  void setup() override;
  void teardown() override;
  // Another process over the same store and folder, or over a copy of what was kept.
  void restart(store::Store* kept = nullptr);
  // A copy of the store as it is.
  std::unique_ptr<store::Store> keep();

  // `path` below /security, with `$name` for what `ids` holds; `auth` is an Authorization header.
  Answer call(rest::Method method, const std::string& path, const std::string& body = "",
              const std::string& auth = "", std::map<std::string, std::string> headers = {});
  Answer as(const std::string& who, rest::Method method, const std::string& path,
            const std::string& body = "") {
    return call(method, path, body, keys.at(who));
  }
  Answer form(const std::string& path, const std::string& body, const std::string& auth = "");
  // A login by password; the token or an empty text.
  std::string login(const std::string& org, const std::string& name, const std::string& password);
  std::string fill(std::string text) const;  // `$name` replaced
  void make_cast();
  void must(const Answer& answer, int status);
  // By which cached callers see that they are old (security::touch_epoch).
  std::uint64_t epoch();
  // Names of the events since the last call of it, in order.
  std::vector<std::string> told();

  TempFolder folder;
  TestClock clock;
  StillTimers timers{clock};
  rest::Metrics metrics;
  std::unique_ptr<store::Store> db;
  std::vector<store::Collection> collections;  // of db
  std::unique_ptr<sys::WorkerPool> workers;
  std::unique_ptr<services::RunningHost> host;
  std::unique_ptr<services::test::ReplyCheck> replies;
  security::Security* service = nullptr;  // owned by the host
  std::map<std::string, std::string> ids;
  std::map<std::string, std::string> keys{{"nobody", ""}};  // Authorization headers by who
  std::mutex told_mutex;
  std::vector<std::string> told_names;  // under told_mutex
  std::string config = R"({"login":{"failuresMax":5,"lockSeconds":60}})";
};

inline std::string bearer(const std::string& token) { return "Bearer " + token; }
// What stands behind the first `head`, up to `tail`; empty without a `head`.
inline std::string between(const std::string& text, const std::string& head,
                           const std::string& tail) {
  const auto start = text.find(head);
  if (start == text.npos) return {};
  const auto from = start + head.size();
  return text.substr(from, text.find(tail, from) - from);
}
