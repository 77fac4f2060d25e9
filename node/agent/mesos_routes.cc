// SPDX-License-Identifier: Apache-2.0
// The read-only facade of a Mesos agent, for tools that read it. Sandboxes are named
// /sandboxes/<instance>, which is also what `directory` says in /state.
// Source: mesos.apache.org/documentation/latest/endpoints/slave.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "node/agent/api.h"
#include "node/agent/beneath.h"
#include "node/agent/oci_config.h"

namespace node::agent {

void describe_own_routes(rest::RouteTable& table);

namespace {

using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Run;
using rest::Scope;

constexpr std::string_view kSandboxes = "/sandboxes/";
constexpr std::int64_t kPieceMax = 1 << 20;
constexpr std::int64_t kDownloadMax = 64 << 20;
constexpr std::size_t kEntriesMax = 10'000;
constexpr double kMebibyte = 1 << 20;

template <Result<Response> (Api::*handler)(const Request&)>
Result<Response> call(Api& api, const Request& request) {
  return (api.*handler)(request);
}

constexpr rest::Route<Api> kRoutes[] = {
    {Method::get, "/state", Scope("node:read"), Run::on_loop, call<&Api::mesos_state>,
     "The node as a Mesos agent shows itself"},
    {Method::get, "/monitor/statistics", Scope("node:read"), Run::on_worker,
     call<&Api::mesos_statistics>, "What the instances use"},
    {Method::get, "/slave/{id}/monitor/statistics", Scope("node:read"), Run::on_worker,
     call<&Api::mesos_statistics_of>, "What the instances of the node of this name use"},
    {Method::get, "/containers", Scope("node:read"), Run::on_worker, call<&Api::mesos_containers>,
     "What the instances use, by container"},
    {Method::get, "/metrics/snapshot", Scope("metrics:read"), Run::on_loop,
     call<&Api::mesos_metrics>, "Counts and resources as Mesos names them"},
    {Method::get, "/files/browse", Scope("app:read"), Run::on_worker, call<&Api::browse_files>,
     "A folder of a sandbox; path=/sandboxes/INSTANCE/…"},
    {Method::get, "/files/read", Scope("app:read"), Run::on_worker, call<&Api::read_file_piece>,
     "A piece of a sandbox's file; path, offset, length"},
    {Method::get, "/files/download", Scope("app:read"), Run::on_worker, call<&Api::download_file>,
     "A sandbox's file"},
};

std::string task_state(api::InstanceState state) {
  std::string out = "TASK_";
  for (const char c : api::state_word(state)) out += static_cast<char>(c - 'a' + 'A');
  return out;
}

Json mesos_resources(double cpus, std::int64_t memory_bytes, std::int64_t disk_bytes,
                     const std::string& ports) {
  return {{"cpus", cpus},
          {"mem", static_cast<double>(memory_bytes) / kMebibyte},
          {"disk", static_cast<double>(disk_bytes) / kMebibyte},
          {"gpus", 0},
          {"ports", ports}};
}

std::string port_ranges(const std::vector<std::uint16_t>& ports) {
  std::string out;
  for (const std::uint16_t port : ports) {
    const std::string text = std::to_string(port);
    out += (out.empty() ? "" : ", ") + text + "-" + text;
  }
  return "[" + out + "]";
}

// "/demo/web" is the task "web.demo" (Marathon).
std::string task_name(const std::string& app) {
  std::string out;
  for (const std::string_view piece : base::split(app, '/')) {
    if (piece.empty()) continue;
    out = out.empty() ? std::string(piece) : std::string(piece) + "." + out;
  }
  return out;
}

Json executor_json(const Instance& instance, const std::string& node) {
  const api::InstanceStatus& status = instance.record.status;
  const api::RunResources& wanted = instance.record.spec->resources;
  const std::string name = task_name(instance.record.spec->app);
  Json task{{"id", status.id.text()},
            {"name", name},
            {"executor_id", ""},
            {"framework_id", "marathon"},
            {"slave_id", node},
            {"state", task_state(status.state)},
            {"resources", mesos_resources(wanted.cpus, wanted.memory_bytes, wanted.disk_bytes,
                                          port_ranges(status.ports))}};
  const bool ended = api::is_terminal(status.state);
  return {{"id", status.id.text()},
          {"name", ""},
          {"source", status.id.text()},
          {"container", instance.record.unit()},
          {"directory", std::string(kSandboxes) + status.id.text()},
          {"resources", task["resources"]},
          {"tasks", ended ? Json::array() : Json::array({task})},
          {"queued_tasks", Json::array()},
          {"completed_tasks", ended ? Json::array({task}) : Json::array()}};
}

struct Piece {
  std::string data;
  std::int64_t size = 0;
};

Result<Piece> read_piece(const std::string& sandbox, const std::string& relative,
                         std::int64_t offset, std::int64_t length) {
  const sys::Fd fd =
      TRY(open_inside(sandbox, relative, O_RDONLY | O_NOCTTY | O_NONBLOCK, Inside::beneath));
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0) return base::os_error(errno, "stat");
  if (!S_ISREG(info.st_mode)) {
    return base::Error{base::Code::invalid_argument, "not a file", "not_a_file"};
  }
  Piece out{"", info.st_size};
  out.data.resize(
      static_cast<std::size_t>(std::max<std::int64_t>(0, std::min(length, info.st_size - offset))));
  std::size_t done = 0;
  while (done < out.data.size()) {
    const ssize_t count = pread(fd.get(), out.data.data() + done, out.data.size() - done,
                                offset + static_cast<off_t>(done));
    if (count < 0) return base::os_error(errno, "read");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  out.data.resize(done);
  return out;
}

Json entry_json(const struct stat& info, const std::string& path) {
  char mode[] = "----------";
  if (S_ISDIR(info.st_mode)) mode[0] = 'd';
  if (S_ISLNK(info.st_mode)) mode[0] = 'l';
  static constexpr char kLetters[] = "rwxrwxrwx";
  for (int i = 0; i < 9; ++i) {
    if ((info.st_mode & (0400U >> i)) != 0) mode[i + 1] = kLetters[i];
  }
  return {{"path", path},
          {"size", info.st_size},
          {"nlink", info.st_nlink},
          {"mtime", info.st_mtime},
          {"mode", mode},
          {"uid", std::to_string(info.st_uid)},
          {"gid", std::to_string(info.st_gid)}};
}

}  // namespace

Result<Response> Api::mesos_state(const Request&) {
  const Config& config = parts_.config;
  Json executors = Json::array();
  Json completed = Json::array();
  for (const auto& [id, instance] : parts_.supervisor.instances()) {
    const bool ended = api::is_terminal(instance.record.status.state);
    (ended ? completed : executors).push_back(executor_json(instance, config.name));
  }
  const std::string ports =
      "[" + std::to_string(config.port_first) + "-" + std::to_string(config.port_last) + "]";
  Json attributes = config.attributes;
  attributes["zone"] = api::zone_word(config.zone);
  return Response::json(
      {{"id", config.name},
       {"pid", "slave(1)@" + config.address + ":5051"},
       {"hostname", config.name},
       {"version", "1.11.0"},
       {"attributes", std::move(attributes)},
       {"resources", mesos_resources(config.resources.cpus, config.resources.memory_bytes,
                                     config.resources.disk_bytes, ports)},
       {"flags", Json::object()},
       {"completed_frameworks", Json::array()},
       {"frameworks",
        {{{"id", "marathon"},
          {"name", "marathon"},
          {"executors", std::move(executors)},
          {"completed_executors", std::move(completed)}}}}});
}

Result<Response> Api::mesos_statistics(const Request&) {
  const auto views = TRY(ask_loop());
  const Cgroups& cgroups = parts_.supervisor.cgroups();
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  Json out = Json::array();
  for (const View& view : views) {
    if (view.control_group.empty() || view.pid == 0) continue;
    const CgroupUsage usage = read_usage(cgroups, view.control_group);
    out.push_back(
        {{"executor_id", view.id},
         {"executor_name", ""},
         {"framework_id", "marathon"},
         {"source", view.id},
         {"container_id", view.executor},
         {"statistics",
          {{"cpus_limit", view.resources.cpus},
           {"cpus_user_time_secs", std::max(0.0, usage.cpu_seconds - usage.system_cpu_seconds)},
           {"cpus_system_time_secs", usage.system_cpu_seconds},
           {"mem_limit_bytes", view.resources.memory_bytes},
           {"mem_rss_bytes", usage.anonymous_bytes},
           {"mem_total_bytes", usage.memory_bytes},
           {"processes", usage.pids},
           {"timestamp", now}}}});
  }
  return Response::json(out);
}

// As masterd hands it on for DC/OS' path of a node: the name says whether this one is meant.
// Errors: not_found node_unknown.
Result<Response> Api::mesos_statistics_of(const Request& request) {
  const std::string& id = request.parameter("id");
  if (id != parts_.config.name) {
    return base::Error{base::Code::not_found,
                       "this is " + parts_.config.name + ", not the node '" + id + "'",
                       "node_unknown"};
  }
  return mesos_statistics(request);
}

Result<Response> Api::mesos_containers(const Request& request) { return mesos_statistics(request); }

Result<Response> Api::mesos_metrics(const Request&) {
  std::map<api::InstanceState, int> counts;
  double cpus = 0;
  double memory = 0;
  for (const auto& [id, instance] : parts_.supervisor.instances()) {
    ++counts[instance.record.status.state];
    if (api::is_terminal(instance.record.status.state)) continue;
    cpus += instance.record.spec->resources.cpus;
    memory += static_cast<double>(instance.record.spec->resources.memory_bytes) / kMebibyte;
  }
  Json out{
      {"slave/cpus_total", parts_.config.resources.cpus},
      {"slave/cpus_used", cpus},
      {"slave/mem_total", static_cast<double>(parts_.config.resources.memory_bytes) / kMebibyte},
      {"slave/mem_used", memory},
      {"slave/registered", parts_.links()["coordination"].get<bool>() ? 1 : 0}};
  for (int i = 0; i <= static_cast<int>(api::InstanceState::error); ++i) {
    const auto state = static_cast<api::InstanceState>(i);
    out["slave/tasks_" + std::string(api::state_word(state))] = counts[state];
  }
  return Response::json(out);
}

Result<Api::Place> Api::find_place(const Request& request) {
  const std::string path = request.find_query("path").value_or("");
  const base::Error unknown{base::Code::not_found, "no such sandbox; paths begin with /sandboxes/",
                            "sandbox_unknown"};
  if (!path.starts_with(kSandboxes)) return unknown;
  const std::string rest = path.substr(kSandboxes.size());
  const std::size_t slash = rest.find('/');
  const std::string id = rest.substr(0, slash);
  if (id.empty()) return unknown;
  const auto views = TRY(ask_loop(id));
  if (views.empty()) return unknown;
  const std::string relative = slash == std::string::npos ? "" : rest.substr(slash + 1);
  const View& view = views[0];
  Place place{view.folder + "/sandbox", relative, path};
  if (!view.has_disk || view.pid == 0) return place;
  // The file system of its disk limit is mounted where the container is and nowhere else. Links on
  // the way are the container's: they lead to its own files only.
  const std::string root = "/proc/" + std::to_string(view.pid) + "/root";
  place.holder = TRY(open_inside(root, kContainerSandbox, O_PATH | O_DIRECTORY, Inside::in_root));
  place.sandbox = "/proc/self/fd/" + std::to_string(place.holder.get());
  return place;
}

Result<Response> Api::browse_files(const Request& request) {
  const Place place = TRY(find_place(request));
  sys::Fd fd =
      TRY(open_inside(place.sandbox, place.relative, O_RDONLY | O_DIRECTORY, Inside::beneath));
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(fdopendir(fd.get()), closedir);
  if (!folder) return base::os_error(errno, "read the folder");
  [[maybe_unused]] const int given_to_folder = fd.release();
  Json out = Json::array();
  while (const dirent* entry = readdir(folder.get())) {
    const std::string name = entry->d_name;
    struct stat info = {};
    if (name == "." || name == ".." || out.size() >= kEntriesMax) continue;
    if (fstatat(dirfd(folder.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    out.push_back(entry_json(info, place.shown + (place.shown.ends_with('/') ? "" : "/") + name));
  }
  return Response::json(out);
}

Result<Response> Api::read_file_piece(const Request& request) {
  const Place place = TRY(find_place(request));
  // Mesos: an offset of -1 asks for the size only.
  const std::int64_t offset = TRY(request.query_int("offset", 0, -1, INT64_MAX / 2));
  const std::int64_t length = TRY(request.query_int("length", kPieceMax, -1, INT64_MAX / 2));
  const std::int64_t wanted = length < 0 ? kPieceMax : std::min(length, kPieceMax);
  const Piece piece = TRY(read_piece(place.sandbox, place.relative,
                                     std::max<std::int64_t>(offset, 0), offset < 0 ? 0 : wanted));
  return Response::json({{"data", piece.data}, {"offset", offset < 0 ? piece.size : offset}});
}

Result<Response> Api::download_file(const Request& request) {
  const Place place = TRY(find_place(request));
  Piece piece = TRY(read_piece(place.sandbox, place.relative, 0, kDownloadMax));
  if (piece.size > kDownloadMax) {
    return base::Error{base::Code::too_large, "the file is too large, read it in pieces",
                       "file_too_large"};
  }
  return Response::text(std::move(piece.data), "application/octet-stream");
}

void add_mesos_routes(rest::RouteTable& table, Api& api) { table.add(kRoutes, api); }

void describe_routes(rest::RouteTable& table) {
  describe_own_routes(table);
  table.describe(kRoutes);
}

}  // namespace node::agent
