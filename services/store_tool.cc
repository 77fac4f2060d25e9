// SPDX-License-Identifier: Apache-2.0
#include "services/store_tool.h"

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/base/time_text.h"
#include "common/store/archive.h"
#include "common/store/pages.h"
#include "common/sys/crypto.h"
#include "common/sys/files.h"
#include "common/sys/shared_file.h"
#include "services/daemon.h"

namespace services {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
namespace fs = std::filesystem;

namespace {

// What sealed records are opened with; not in a copy, so that it alone tells nothing.
constexpr const char* kKeys[] = {"framework/reply.key", "security/seal.key"};

struct Wish {
  std::string config = "/etc/gestalt/services.json";
  std::string services;  // as --services= of the service
  std::string file;
  std::string to;
  bool other_keys = false;
};

void progress(std::uint64_t entries) {
  if (::isatty(STDERR_FILENO) == 1)
    std::fprintf(stderr, "\r%llu entries", static_cast<unsigned long long>(entries));
}

void end_progress() {
  if (::isatty(STDERR_FILENO) == 1) std::fputs("\r\033[K", stderr);
}

Result<StoreSettings> settings_of(const std::string& config, const std::string& wanted) {
  const Json json = TRY(base::load_config(config));
  auto settings = store_settings(json, wanted);
  if (settings) return settings;
  return base::prepend(config, settings.error());
}

// By its hash: whether a key is the same can be told without telling the key.
std::string fingerprint(const fs::path& key) {
  std::ifstream file(key, std::ios::binary);
  if (!file) return "";
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  return sys::sha256_hex("gestalt store key\n" + content).substr(0, 32);
}

Json fingerprints(const std::string& state) {
  Json keys = Json::object();
  for (const char* key : kKeys) {
    const std::string its = fingerprint(fs::path(state) / key);
    if (!its.empty()) keys[key] = its;
  }
  return keys;
}

Result<void> check_keys(const Json& about, const StoreSettings& settings) {
  const Json here = fingerprints(settings.state);
  const Json keys = about.value("keys", Json::object());
  for (const auto& [name, its] : keys.items()) {
    const auto found = here.find(name);
    if (found != here.end() && *found == its) continue;
    return Error{Code::failed_precondition,
                 settings.state + "/" + name +
                     (found == here.end() ? " is missing" : " is another key") +
                     " than that which the copy's records are sealed with: put the key of the "
                     "copy's host there first, or give --other-keys and set what was sealed anew",
                 "keys_differ"};
  }
  return {};
}

Result<Json> about_of(const store::ArchiveSummary& summary) {
  auto about = base::parse_json(summary.about);
  if (about && about->is_object()) return about;
  return Error{Code::corrupt, "the file is a copy of a store, but not of one of these services",
               "archive_corrupt"};
}

void tell(const char* what, const std::string& file, const store::ArchiveSummary& summary,
          const Json& about) {
  std::printf("%s %s: %llu entries, %llu bytes, made %s by version %s\n", what, file.c_str(),
              static_cast<unsigned long long>(summary.entries),
              static_cast<unsigned long long>(summary.bytes),
              about.value("made", "at an unknown time").c_str(),
              about.value("program", "unknown").c_str());
}

// ---- the commands

Result<void> back_up(const Wish& wish) {
  const StoreSettings settings = TRY(settings_of(wish.config, wish.services));
  const auto source = TRY(open_store_to_read(settings));
  const Json about = {{"made", base::format_time(base::system_clock().wall())},
                      {"program", program_version()},
                      {"engine", settings.engine},
                      {"keys", fingerprints(settings.state)}};
  const auto summary =
      TRY(store::write_archive(*source, wish.file, base::dump_json(about), progress));
  end_progress();
  tell("wrote", wish.file, summary, about);
  std::printf("not in it: the keys below %s (%s, %s), the logs of audit and events there\n",
              settings.state.c_str(), kKeys[0], kKeys[1]);
  return {};
}

Result<void> verify(const Wish& wish) {
  const auto summary = TRY(store::check_archive(wish.file));
  const Json about = TRY(about_of(summary));
  tell("whole:", wish.file, summary, about);
  return {};
}

// What root has restored is the service's.
Result<void> give_to_owner(const fs::path& folder, const std::string& state) {
  struct stat owner {};
  if (::stat(state.c_str(), &owner) != 0) return base::os_error(errno, "look at " + state);
  std::vector<fs::path> all = {folder};
  for (const auto& each : fs::directory_iterator(folder)) all.push_back(each.path());
  for (const fs::path& each : all) {
    if (::lchown(each.c_str(), owner.st_uid, owner.st_gid) != 0)
      return base::os_error(errno, "give away " + each.string());
  }
  return {};
}

// Under another name until it is whole: a process that dies leaves no store.
Result<store::ArchiveSummary> restore_lmdb(const Wish& wish, StoreSettings settings) {
  const fs::path place = settings.lmdb_folder();
  if (fs::exists(place / "data.mdb")) {
    return Error{Code::failed_precondition,
                 place.string() + " holds a store: stop gestalt-services and move it away first",
                 "store_not_empty"};
  }
  TRY(sys::make_folder(settings.state, 0700));
  const fs::path partial = place.string() + ".restoring";
  TRY(sys::remove_tree(partial));
  store::ArchiveSummary summary;
  {
    const auto fresh = TRY(store::open_lmdb(partial.string(), settings.options));
    summary = TRY(store::load_archive(wish.file, *fresh, store::Commits::many, progress));
  }
  TRY(give_to_owner(partial, settings.state));
  std::error_code error;
  fs::remove(place, error);  // an empty folder
  fs::rename(partial, place, error);
  if (error) return base::os_error(error.value(), "name " + place.string());
  TRY(sys::sync_path(settings.state));
  return summary;
}

Result<void> restore(const Wish& wish) {
  const StoreSettings settings = TRY(settings_of(wish.config, wish.services));
  const auto checked = TRY(store::check_archive(wish.file));
  const Json about = TRY(about_of(checked));
  if (!wish.other_keys) TRY(check_keys(about, settings));
  if (settings.engine == "lmdb") {
    TRY(restore_lmdb(wish, settings));
  } else {
    const auto target = TRY(open_store(settings));
    TRY(store::load_archive(wish.file, *target, store::Commits::one, progress));
  }
  end_progress();
  tell("restored", wish.file, checked, about);
  return {};
}

Result<void> copy(const Wish& wish) {
  const StoreSettings from = TRY(settings_of(wish.config, wish.services));
  const StoreSettings to = TRY(settings_of(wish.to, wish.services));
  const auto source = TRY(open_store_to_read(from));
  const auto target = TRY(open_store(to));
  const bool is_empty = TRY(store::is_empty(*target));
  if (!is_empty) {
    return Error{Code::failed_precondition,
                 "the store that " + wish.to + " names holds records: it is not replaced",
                 "store_not_empty"};
  }
  TRY(target->replace_with(*source));
  if (to.engine == "lmdb") TRY(give_to_owner(to.lmdb_folder(), to.state));
  std::printf("copied what %s names to what %s names; the state folder's keys and logs stay\n",
              wish.config.c_str(), wish.to.c_str());
  return {};
}

Result<void> info(const Wish& wish) {
  const StoreSettings settings = TRY(settings_of(wish.config, wish.services));
  const auto source = TRY(open_store_to_read(settings));
  std::printf("engine      %s\nstate       %s\n", settings.engine.c_str(), settings.state.c_str());
  return source->read([&](store::Reader& reader) -> Result<void> {
    std::printf("changes     %llu\n", static_cast<unsigned long long>(TRY(reader.last_change())));
    for (const store::Collection& each : settings.options.collections) {
      std::uint64_t count = 0, bytes = 0;
      const store::Visit look = [&](store::Record& record) -> Result<void> {
        ++count;
        bytes += record.key.size() + record.value.size();
        return {};
      };
      TRY(store::visit(reader, each.name, "", look));
      if (count == 0) continue;
      std::printf("%-28s %10llu records %12llu bytes\n", each.name.c_str(),
                  static_cast<unsigned long long>(count), static_cast<unsigned long long>(bytes));
    }
    return {};
  });
}

using Command = Result<void> (*)(const Wish& wish);

}  // namespace

int run_store_tool(const std::vector<std::string>& arguments) {
  Wish wish;
  Command chosen = nullptr;
  CLI::App app("Copies of the services' store", "gestalt-services store");
  app.require_subcommand(1);
  const auto add = [&](const char* name, const char* about, Command command) {
    CLI::App* made = app.add_subcommand(name, about);
    made->callback([&chosen, command] { chosen = command; });
    return made;
  };
  const auto configured = [&wish](CLI::App* command) {
    command->add_option("--config", wish.config, "configuration of the service")
        ->capture_default_str();
    command->add_option("--services", wish.services,
                        "the services, as the service is started with");
    return command;
  };
  configured(add("backup", "Write a copy to a new file, while the service runs or not", back_up))
      ->add_option("FILE", wish.file, "the file to make")
      ->required();
  CLI::App* restoring =
      configured(add("restore", "Load a copy into the configured store, which is empty", restore));
  restoring->add_option("FILE", wish.file, "the copy")->required();
  restoring->add_flag("--other-keys", wish.other_keys,
                      "go on without the keys that the copy's records are sealed with");
  add("verify", "Read a copy whole and say whether it is", verify)
      ->add_option("FILE", wish.file, "the copy")
      ->required();
  configured(add("copy", "Copy the store to another one, of the same engine or another", copy))
      ->add_option("--to", wish.to, "configuration that names the other, empty store")
      ->required();
  configured(add("info", "Say what the store holds", info));
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Result<void> done = chosen(wish);
  if (done) return 0;
  end_progress();
  std::fprintf(stderr, "gestalt-services store: %s\n", base::to_string(done.error()).c_str());
  return 1;
}

}  // namespace services
