// SPDX-License-Identifier: GPL-2.0-only
// gestalt-netfw-iptc: puts neutral rules into the legacy iptables tables through libiptc.
//
// A process of its own, because libiptc is GPL-2.0-only: the daemon that starts it never links it.
// It reads requests from descriptor 3 (message.h), answers each, and ends when the other end
// closes.
// 1. Nothing is computed while the xtables lock is held but the comparison with what is there.
// 2. A table whose foreign rules differ between the snapshot and the moment before the commit is
// not written: that would undo somebody else's change without a word.
// A writer that takes no lock and replaces a rule in the microseconds after that look is the one
// case left: the kernel compares no more than the number of rules.
// 3. EAGAIN, EINVAL and ENOENT at the commit mean that another writer was faster: try again.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "netfw/iptables/entry.h"
#include "netfw/iptables/table.h"

namespace netfw::iptc {
namespace {

constexpr unsigned kAttemptsMax = 6;  // the first and five more
constexpr long kLockPauseNsMin = 1'000'000;
constexpr long kLockPauseNsMax = 20'000'000;

using Clock = std::chrono::steady_clock;

class XtablesLock {
 public:
  ~XtablesLock() {
    if (fd_ >= 0) close(fd_);  // releases the flock
  }
  // flock has no timed wait; the holder is another process that gives no sign, so ask again after
  // a pause that grows and differs between waiters.
  int take(const char* path, Clock::time_point deadline) {
    fd_ = ::open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) return errno;
    for (long pause = kLockPauseNsMin;; pause = std::min(pause * 2, kLockPauseNsMax)) {
      if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return 0;
      if (errno != EWOULDBLOCK && errno != EINTR) return errno;
      if (Clock::now() >= deadline) return ETIMEDOUT;
      const long jitter = static_cast<long>(getpid()) * 7919 % kLockPauseNsMin;
      const timespec wait = {0, pause + jitter};
      nanosleep(&wait, nullptr);
    }
  }

 private:
  int fd_ = -1;
};

struct Outcome {
  Stage stage = Stage::done;
  int error = 0;
  bool changed = false;
  unsigned foreign_rules = 0;
  std::string text;
};

Outcome failed(Stage stage, int error, std::string text) {
  Outcome out;
  out.stage = stage;
  out.error = error;
  out.text = std::move(text);
  return out;
}

std::vector<OwnChain> build_chains(const Request& request, const KernelTraits& traits) {
  std::vector<OwnChain> chains = {{"GESTALT-IN", "INPUT", {}}, {"GESTALT-FWD", "FORWARD", {}}};
  for (unsigned i = 0; i < request.header.rule_count; ++i) {
    const WireRule& rule = request.rules[i];
    chains[rule.chain == 0 ? 0 : 1].entries.push_back(
        build_entry(rule, request.header.family, traits));
  }
  return chains;
}

bool is_equal(const Table& table, Operation operation, const std::vector<OwnChain>& chains) {
  if (operation == Operation::remove) return !table.has_own();
  return std::all_of(chains.begin(), chains.end(),
                     [&](const OwnChain& chain) { return table.matches(chain); });
}

Outcome try_once(const Request& request, const std::vector<OwnChain>& chains,
                 Clock::time_point deadline) {
  const auto operation = static_cast<Operation>(request.header.operation);
  const int family = request.header.family;
  XtablesLock lock;
  if (const int error = lock.take(request.header.lock_file, deadline); error != 0) {
    return failed(Stage::lock, error, request.header.lock_file);
  }
  std::unique_ptr<Table> table;
  if (const int error = Table::open(family, table); error != 0) {
    return failed(Stage::open, error, "the filter table");
  }
  Outcome out;
  out.foreign_rules = table->foreign_rules();
  if (is_equal(*table, operation, chains)) return out;
  out.changed = true;
  if (operation == Operation::check) return out;
  const std::string foreign = table->foreign();
  if (operation == Operation::remove) {
    if (const int error = table->remove_own(); error != 0) {
      return failed(Stage::build, error, "removing");
    }
  } else {
    for (const OwnChain& chain : chains) {
      if (const int error = table->replace(chain); error != 0) {
        return failed(Stage::build, error, chain.name);
      }
    }
  }
  std::unique_ptr<Table> now;
  if (const int error = Table::open(family, now); error != 0) {
    return failed(Stage::open, error, "the filter table, again");
  }
  if (table->foreign() != foreign || now->foreign() != foreign) {
    return failed(Stage::foreign_changed, EAGAIN, "rules of others changed meanwhile");
  }
  if (const int error = table->commit(); error != 0) return failed(Stage::commit, error, "");
  return out;
}

bool may_retry(const Outcome& outcome) {
  if (outcome.stage == Stage::foreign_changed) return true;
  return outcome.stage == Stage::commit &&
         (outcome.error == EAGAIN || outcome.error == EINVAL || outcome.error == ENOENT);
}

bool is_sound(const Request& request, std::size_t size) {
  const RequestHeader& header = request.header;
  if (size < sizeof header || header.magic != kMagic) return false;
  if (header.rule_count > kRulesPerRequestMax || (header.family != 4 && header.family != 6)) {
    return false;
  }
  if (size != sizeof header + header.rule_count * sizeof(WireRule)) return false;
  if (header.operation < 1 || header.operation > 3) return false;
  const auto ends = [](const auto& text) { return memchr(text, 0, sizeof text) != nullptr; };
  if (!ends(header.lock_file)) return false;
  return std::all_of(request.rules, request.rules + header.rule_count, [&](const WireRule& rule) {
    return ends(rule.source_set) && ends(rule.port_set) && ends(rule.endpoint_set) &&
           ends(rule.comment) && rule.chain <= 1 && rule.verdict <= 1 &&
           rule.source_prefix <= (header.family == 4 ? 32 : 128);
  });
}

Reply serve(const Request& request, std::size_t size) {
  Reply reply = {};
  reply.magic = kMagic;
  Outcome outcome;
  if (!is_sound(request, size)) {
    outcome = failed(Stage::bad_request, EINVAL, "the request is not well-formed");
  } else {
    const auto deadline = Clock::now() + std::chrono::milliseconds(request.header.deadline_ms);
    KernelTraits traits;
    std::string text;
    if (const int error = probe_kernel(request, traits, text); error != 0) {
      outcome = failed(Stage::build, error, text);
    } else {
      const std::vector<OwnChain> chains = build_chains(request, traits);
      do {
        ++reply.attempts;
        outcome = try_once(request, chains, deadline);
      } while (may_retry(outcome) && reply.attempts < kAttemptsMax && Clock::now() < deadline);
    }
    reply.own_rules = request.header.rule_count;
  }
  reply.stage = static_cast<std::uint8_t>(outcome.stage);
  reply.os_errno = outcome.error;
  reply.changed = outcome.changed ? 1 : 0;
  reply.foreign_rules = outcome.foreign_rules;
  memcpy(reply.text, outcome.text.data(), std::min(outcome.text.size(), sizeof reply.text - 1));
  return reply;
}

}  // namespace
}  // namespace netfw::iptc

int main() {
  using namespace netfw::iptc;
  static Request request;
  for (;;) {
    memset(&request, 0, sizeof request);
    const ssize_t size = recv(kHelperFd, &request, sizeof request, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return size == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    const Reply reply = serve(request, static_cast<std::size_t>(size));
    if (send(kHelperFd, &reply, sizeof reply, MSG_NOSIGNAL) != sizeof reply) return EXIT_FAILURE;
  }
}
