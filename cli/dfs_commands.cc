// SPDX-License-Identifier: Apache-2.0
#include "cli/dfs_commands.h"

#include <nlohmann/json.hpp>

#include "cli/api.h"

namespace cli {
namespace {

using base::Json;
using base::Result;

template <class Run>
Status with_api(const Session& session, const Run& run, Daemon daemon = Daemon::dfs) {
  const auto all = [&]() -> Result<Status> {
    Api api = TRY(Api::make(session, daemon));
    return run(api);
  };
  const Result<Status> outcome = all();
  return outcome ? *outcome : report(session, daemon, outcome.error());
}

std::string text(const Json& object, const char* field) {
  const auto at = object.find(field);
  if (at == object.end()) return "";
  return at->is_string() ? at->get<std::string>() : at->dump();
}

std::string quota(const Json& volume, const char* field) {
  const double value = volume.value(field, 0.0);
  return value == 0 ? "-" : format_bytes(value);
}

void print_volumes(const Session& session, const Json& volumes) {
  Table table({{"NAME"},
               {"USED", Align::right},
               {"QUOTA", Align::right},
               {"FILES", Align::right},
               {"DURABILITY"},
               {"CLIENTS", Align::right}});
  for (const Json& volume : volumes) {
    const auto clients = volume.find("clients");
    table.add({{text(volume, "name")},
               {format_bytes(volume.value("used_bytes", 0.0))},
               {quota(volume, "quota_bytes")},
               {text(volume, "used_inodes")},
               {text(volume, "durability")},
               {std::to_string(clients == volume.end() ? 0 : clients->size())}});
  }
  session.out << table.render(session.style);
}

Status show(const Session& session, const Json& volume) {
  if (session.json) {
    session.print_json(volume);
  } else {
    print_volumes(session, Json::array({volume}));
  }
  return Status::ok;
}

std::string path_of(const std::string& name) { return "/dfs/v1/volumes/" + encode_id(name); }

}  // namespace

Status dfs_volume_create(const Session& session, const VolumeOptions& options) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    return show(session, TRY(api.post("/dfs/v1/volumes", {{"name", options.name},
                                                          {"quota_bytes", options.quota_bytes},
                                                          {"quota_inodes", options.quota_inodes},
                                                          {"durability", options.durability}})));
  });
}

Status dfs_volume_list(const Session& session) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    const Json reply = TRY(api.get("/dfs/v1/volumes"));
    if (session.json) {
      session.print_json(reply);
    } else {
      print_volumes(session, reply.value("volumes", Json::array()));
    }
    return Status::ok;
  });
}

Status dfs_volume_show(const Session& session, const std::string& name) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    return show(session, TRY(api.get(path_of(name))));
  });
}

Status dfs_volume_remove(const Session& session, const std::string& name) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    TRY(api.del(path_of(name)));
    return Status::ok;
  });
}

Status dfs_volume_quota(const Session& session, const VolumeOptions& options) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    Json change = Json::object();
    if (options.quota_bytes >= 0) change["quota_bytes"] = options.quota_bytes;
    if (options.quota_inodes >= 0) change["quota_inodes"] = options.quota_inodes;
    return show(session, TRY(api.put(path_of(options.name), change)));
  });
}

namespace {

std::string snapshots_of(const std::string& volume, const std::string& name = "") {
  const std::string path = path_of(volume) + "/snapshots";
  return name.empty() ? path : path + "/" + encode_id(name);
}

void print_snapshots(const Session& session, const Json& snapshots) {
  Table table(
      {{"NAME"}, {"CREATED"}, {"USED", Align::right}, {"FILES", Align::right}, {"MOUNT AS"}});
  for (const Json& snapshot : snapshots) {
    table.add({{text(snapshot, "name")},
               {text(snapshot, "created")},
               {format_bytes(snapshot.value("used_bytes", 0.0))},
               {text(snapshot, "used_inodes")},
               {text(snapshot, "mount")}});
  }
  session.out << table.render(session.style);
}

}  // namespace

Status dfs_snapshot_create(const Session& session, const std::string& volume,
                           const std::string& name) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    const Json made = TRY(api.post(snapshots_of(volume), {{"name", name}}));
    if (session.json) {
      session.print_json(made);
    } else {
      print_snapshots(session, Json::array({made}));
    }
    return Status::ok;
  });
}

Status dfs_snapshot_list(const Session& session, const std::string& volume) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    const Json reply = TRY(api.get(snapshots_of(volume)));
    if (session.json) {
      session.print_json(reply);
    } else {
      print_snapshots(session, reply.value("snapshots", Json::array()));
    }
    return Status::ok;
  });
}

Status dfs_snapshot_remove(const Session& session, const std::string& volume,
                           const std::string& name) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    TRY(api.del(snapshots_of(volume, name)));
    return Status::ok;
  });
}

Status dfs_snapshot_restore(const Session& session, const std::string& volume,
                            const std::string& name) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    return show(session, TRY(api.post(snapshots_of(volume, name) + "/restore", Json::object())));
  });
}

Status dfs_device_list(const Session& session) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    const Json reply = TRY(api.get("/dfs/v1/devices"));
    if (session.json) {
      session.print_json(reply);
      return Status::ok;
    }
    Table table({{"NODE"}, {"ADDRESS"}, {"STATE"}, {"SIZE", Align::right}, {"FREE", Align::right}});
    for (const Json& device : reply.value("devices", Json::array())) {
      const bool is_alive = device.value("alive", false);
      table.add({{text(device, "node")},
                 {text(device, "address") + ":" + text(device, "port")},
                 {is_alive ? "alive" : "silent", is_alive ? Tone::good : Tone::bad},
                 {format_bytes(device.value("capacity_bytes", 0.0))},
                 {format_bytes(device.value("free_bytes", 0.0))}});
    }
    session.out << table.render(session.style);
    return Status::ok;
  });
}

Status dfs_device_forget(const Session& session, const std::string& node) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    TRY(api.del("/dfs/v1/devices/" + encode_id(node)));
    return Status::ok;
  });
}

Status dfs_scrub(const Session& session, ScrubVerb verb) {
  const auto run = [&](Api& api) -> Result<Status> {
    const auto ask = [&]() -> Result<Json> {
      switch (verb) {
        case ScrubVerb::start: return api.post("/v1/scrub", Json::object());
        case ScrubVerb::stop: return api.del("/v1/scrub");
        case ScrubVerb::status: break;
      }
      return api.get("/v1/scrub");
    };
    const Json scrub = TRY(ask());
    if (session.json) {
      session.print_json(scrub);
    } else {
      session.out << (scrub.value("running", false) ? "under way" : "not under way") << ", "
                  << text(scrub, "groups_done") << " of " << text(scrub, "groups")
                  << " chunk groups, " << format_bytes(scrub.value("bytes", 0.0)) << " read, "
                  << text(scrub, "blocks_bad") << " blocks bad, " << text(scrub, "blocks_lost")
                  << " lost; " << text(scrub, "runs") << " whole runs\n";
    }
    return scrub.value("blocks_lost", std::uint64_t{0}) == 0 ? Status::ok : Status::failed;
  };
  return with_api(session, run, Daemon::storage);
}

Status dfs_status(const Session& session) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    const Json reply = TRY(api.get("/dfs/v1/status"));
    if (session.json) {
      session.print_json(reply);
      return Status::ok;
    }
    const Json health = reply.value("health", Json::object());
    session.out << "state    " << printable(text(health, "status")) << "\n"
                << "primary  " << printable(text(reply, "primary")) << "\n"
                << "in sync  " << printable(text(reply, "in_sync")) << "\n";
    for (const Json& problem : health.value("problems", Json::array()))
      session.out << "problem  " << printable(problem.get<std::string>()) << "\n";
    for (const Json& client : reply.value("sessions", Json::array()))
      session.out << "client   " << printable(text(client, "host")) << " "
                  << printable(text(client, "volume")) << "\n";
    return Status::ok;
  });
}

Status dfs_fsck(const Session& session) {
  return with_api(session, [&](Api& api) -> Result<Status> {
    const Json reply = TRY(api.post("/dfs/v1/fsck", Json::object()));
    const bool is_clean = reply.value("wrong", std::uint64_t{1}) == 0;
    if (session.json) {
      session.print_json(reply);
    } else {
      session.out << text(reply, "inodes") << " inodes, " << text(reply, "names") << " names, "
                  << text(reply, "wrong") << " wrong\n";
      for (const Json& problem : reply.value("problems", Json::array()))
        session.out << printable(problem.get<std::string>()) << "\n";
    }
    return is_clean ? Status::ok : Status::failed;
  });
}

}  // namespace cli
