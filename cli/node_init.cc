// SPDX-License-Identifier: Apache-2.0
#include "cli/node_init.h"

#include <errno.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "common/base/text.h"
#include "common/rest/auth.h"
#include "common/sys/files.h"

namespace cli {

namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Error;
using base::Result;

constexpr std::size_t kUuidLength = 36;

Result<gid_t> group_number(const std::string& name) {
  std::array<char, 16384> room{};
  group entry{};
  group* found = nullptr;
  const int failure = ::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found);
  if (failure != 0) return base::os_error(failure, "look up group " + name);
  if (found == nullptr) {
    return Error{Code::failed_precondition,
                 "there is no group \"" + name + "\" on this machine: run systemd-sysusers",
                 "group_missing"};
  }
  return found->gr_gid;
}

// Owner root, the given group, exactly `mode`. Only root can give files away; a test run by
// somebody else keeps its own files.
Result<void> set_access(const fs::path& path, gid_t group, mode_t mode) {
  if (::geteuid() == 0 && ::chown(path.c_str(), 0, group) != 0) {
    return base::os_error(errno, "change the owner of " + path.string());
  }
  // After chown, because chown may clear the set-group bit.
  if (::chmod(path.c_str(), mode) != 0) {
    return base::os_error(errno, "change the mode of " + path.string());
  }
  return {};
}

class FirstBoot {
 public:
  FirstBoot(const NodeInitOptions& options, gid_t group, base::Rng& rng)
      : options_(options), group_(group), rng_(rng) {}

  Result<NodeInitOutcome> run() {
    TRY(folder(options_.state, 0, 0755));
    const sys::Fd lock = TRY(sys::lock_file(options_.state / "init.lock"));
    TRY(set_access(options_.state / "init.lock", 0, 0600));
    TRY(folder(options_.state / "coordination", group_, 02770));
    TRY(folder(options_.state / "credentials", group_, 0750));
    TRY(identity());
    TRY(credentials());
    return std::move(outcome_);
  }

 private:
  Result<void> folder(const fs::path& path, gid_t group, mode_t mode) {
    std::error_code ignored;  // a failing look is followed by a failing make_folder
    const bool existed = fs::exists(path, ignored);
    TRY(sys::make_folder(path, mode));
    TRY(set_access(path, group, mode));
    if (!existed) outcome_.made.push_back(path.string());
    return {};
  }

  Result<void> identity() {
    const fs::path file = options_.state / "node_id";
    if (!fs::exists(file)) {
      TRY(sys::write_file_durably(file, rng_.uuid() + "\n", 0644));
      outcome_.made.push_back(file.string());
    }
    const std::string text = TRY(base::read_file(file, 4096));
    outcome_.node_id = std::string(base::trim(text));
    if (outcome_.node_id.size() != kUuidLength) {
      return Error{Code::corrupt,
                   file.string() +
                       " does not hold a UUID: restore it, or delete it to make this "
                       "machine a new node",
                   "node_id_invalid"};
    }
    return {};
  }

  Result<void> credentials() {
    const fs::path folder_path = options_.state / "credentials";
    const fs::path tokens = folder_path / "tokens.json";
    const fs::path admin = folder_path / "admin.token";
    if (!fs::exists(tokens)) TRY(mint_admin(folder_path, tokens, admin));
    TRY(set_access(tokens, group_, 0640));
    if (fs::exists(admin)) TRY(set_access(admin, 0, 0600));
    return {};
  }

  // Mints into a folder of its own and publishes in the order of invariant 2.
  Result<void> mint_admin(const fs::path& folder_path, const fs::path& tokens,
                          const fs::path& admin) {
    const fs::path staging = folder_path / ".staging";
    TRY(sys::remove_tree(staging));
    TRY(sys::make_folder(staging, 0700));
    const base::Secret token =
        TRY(rest::TokenFile::mint(staging / "tokens.json", "admin", {"*"}, rng_));
    const base::Secret line(std::string(token.reveal()) + "\n");
    TRY(sys::write_file_durably(admin, line.reveal(), 0600));
    const std::string hashes = TRY(base::read_file(staging / "tokens.json"));
    TRY(sys::write_file_durably(tokens, hashes, 0640));
    TRY(sys::remove_tree(staging));
    outcome_.made.push_back(admin.string());
    outcome_.made.push_back(tokens.string());
    return {};
  }

  const NodeInitOptions& options_;
  gid_t group_;
  base::Rng& rng_;
  NodeInitOutcome outcome_;
};

}  // namespace

Result<NodeInitOutcome> init_node(const NodeInitOptions& options, base::Rng& rng) {
  const gid_t group = TRY(group_number(options.group));
  return FirstBoot(options, group, rng).run();
}

}  // namespace cli
