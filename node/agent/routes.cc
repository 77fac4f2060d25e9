// SPDX-License-Identifier: Apache-2.0
#include <sys/statvfs.h>

#include <future>
#include <nlohmann/json.hpp>

#include "common/base/log.h"
#include "node/agent/api.h"

namespace node::agent {

namespace {

using base::Json;
using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;
using rest::Run;
using rest::Scope;

constexpr std::size_t kOperationsMax = 100;
constexpr std::int64_t kLogLinesMax = 10'000;
constexpr std::size_t kFollowersMax = 64;
constexpr std::chrono::seconds kLoopPatience{5};

template <Result<Response> (Api::*handler)(const Request&)>
Result<Response> call(Api& api, const Request& request) {
  return (api.*handler)(request);
}

constexpr rest::Route<Api> kRoutes[] = {
    {Method::get, "/v1/node", Scope("node:read"), Run::on_loop, call<&Api::show_node>,
     "This node: address, resources, what is used"},
    {Method::get, "/v1/instances", Scope("node:read"), Run::on_loop, call<&Api::list_instances>,
     "All instances of this node with their status"},
    {Method::get, "/v1/instances/{id}", Scope("node:read"), Run::on_loop, call<&Api::show_instance>,
     "One instance"},
    {Method::post, "/v1/instances/{id}/kill", Scope("node:admin"), Run::on_loop,
     call<&Api::kill_instance>, "Drain and stop an instance; masterd replaces it"},
    {Method::get, "/v1/instances/{id}/logs", Scope("app:read"), Run::on_worker,
     call<&Api::show_logs>, "What the instance has written; last=N, follow=true, after=CURSOR"},
    {Method::get, "/v1/images", Scope("node:read"), Run::on_loop, call<&Api::list_images>,
     "Images that are unpacked on this node"},
    {Method::post, "/v1/images/pull", Scope("node:admin"), Run::on_loop, call<&Api::pull_image>,
     "Fetch an image; the reply names the operation to look at"},
    {Method::get, "/v1/operations/{id}", Scope("node:read"), Run::on_loop,
     call<&Api::show_operation>, "How a fetch goes on"},
    {Method::del, "/v1/images/{digest}", Scope("node:admin"), Run::on_loop,
     call<&Api::remove_image>, "Remove an image that no instance uses"},
    {Method::post, "/v1/images/gc", Scope("node:admin"), Run::on_loop, call<&Api::collect_images>,
     "Remove unused images that are old when the disk is full; all unused ones with all=true"},
};

Json instance_json(const Instance& instance) {
  Json out = to_json(instance.record.status);
  out["app"] = instance.record.spec->app;
  out["version"] = instance.record.spec->version;
  out["spec"] = instance.record.spec_digest;
  out["unit"] = instance.record.unit();
  out["image_digest"] = instance.record.image_digest;
  return out;
}

Json operation_json(const Operation& operation) {
  return {{"id", operation.id},
          {"reference", operation.reference},
          {"state", operation.state},
          {"message", operation.message},
          {"digest", operation.digest}};
}

base::Error unknown_instance(const std::string& id) {
  return {base::Code::not_found, "no instance " + id, "instance_unknown"};
}

}  // namespace

Api::Api(Parts parts) : parts_(std::move(parts)), self_(std::make_shared<Api*>(this)) {}

Api::~Api() { *self_ = nullptr; }

Json Api::health() const {
  Json links = parts_.links();
  bool good = true;
  for (const auto& [name, connected] : links.items()) good = good && connected.get<bool>();
  return {{"status", good ? "ok" : "degraded"}, {"connected", std::move(links)}};
}

Result<Response> Api::show_node(const Request&) {
  const Config& config = parts_.config;
  double cpus = 0;
  std::int64_t memory = 0;
  std::int64_t running = 0;
  Json ports = Json::array();
  for (const auto& [id, instance] : parts_.supervisor.instances()) {
    if (api::is_terminal(instance.record.status.state)) continue;
    ++running;
    cpus += instance.record.spec->resources.cpus;
    memory += instance.record.spec->resources.memory_bytes;
    for (const std::uint16_t port : instance.record.status.ports) ports.push_back(port);
  }
  Json out = to_json(api::Node{config.name, config.address, config.zone, config.attributes,
                               config.resources, config.port_first, config.port_last, ""});
  out.erase("boot_id");
  out["assigned"] = {
      {"cpus", cpus}, {"memory_bytes", memory}, {"instances", running}, {"ports", ports}};
  out["connected"] = parts_.links();
  struct statvfs info = {};
  if (statvfs(config.state_folder.c_str(), &info) == 0) {
    out["disk_free_bytes"] = static_cast<std::int64_t>(info.f_bavail * info.f_frsize);
  }
  return Response::json(out);
}

Result<Response> Api::list_instances(const Request& request) {
  const rest::Page page = TRY(rest::read_page(request, 1000, 4000));
  Json list = Json::array();
  std::string next;
  const auto& all = parts_.supervisor.instances();
  auto at = page.after.empty() ? all.begin() : all.upper_bound(api::InstanceId(page.after));
  for (; at != all.end() && list.size() < page.limit; ++at) {
    list.push_back(instance_json(at->second));
    next = at->first.text();
  }
  Json out{{"instances", std::move(list)}};
  if (at != all.end()) out["next_cursor"] = next;
  return Response::json(out);
}

Result<Response> Api::show_instance(const Request& request) {
  const std::string& id = request.parameter("id");
  const Instance* instance = parts_.supervisor.find(api::InstanceId(id));
  if (instance == nullptr) return unknown_instance(id);
  return Response::json(instance_json(*instance));
}

Result<Response> Api::kill_instance(const Request& request) {
  const api::InstanceId id(request.parameter("id"));
  TRY(parts_.supervisor.kill(id));
  base::log::notice("AGENT_INSTANCE_KILLED", "an instance is stopped on behalf of a caller",
                    {{"instance", id.text()}, {"caller", request.principal.name}});
  const Instance* instance = parts_.supervisor.find(id);
  return Response::json(instance_json(*instance), 202);
}

Result<std::vector<Api::View>> Api::ask_loop(const std::string& only_id) {
  auto answer = std::make_shared<std::promise<std::vector<View>>>();
  auto future = answer->get_future();
  parts_.loop.post([self = self_, answer, only_id] {
    std::vector<View> out;
    if (*self != nullptr) {
      const Supervisor& supervisor = (*self)->parts_.supervisor;
      for (const auto& [id, instance] : supervisor.instances()) {
        if (!only_id.empty() && id.text() != only_id) continue;
        out.push_back({id.text(), instance.record.unit(), instance.control_group,
                       supervisor.folder_of(instance.record), instance.record.spec->resources,
                       instance.record.status.pid,
                       instance.record.spec->kind == api::RunKind::container &&
                           instance.record.spec->resources.disk_bytes > 0});
      }
    }
    answer->set_value(std::move(out));
  });
  // The loop does not answer any more when the daemon is ending.
  if (future.wait_for(kLoopPatience) == std::future_status::ready) return future.get();
  return base::Error{base::Code::unavailable, "the agent is busy or ending", "loop_busy"};
}

Result<Response> Api::show_logs(const Request& request) {
  const std::string& id = request.parameter("id");
  const auto views = TRY(ask_loop(id));
  if (views.empty()) return unknown_instance(id);
  sys::JournalReader::Options options;
  options.unit = views[0].executor;
  options.last = static_cast<std::size_t>(TRY(request.query_int("last", 100, 0, kLogLinesMax)));
  options.after = request.find_query("after").value_or("");
  const bool follow = TRY(request.query_flag("follow"));
  const bool events = request.find_header("accept").value_or("").find("text/event-stream") !=
                      std::string_view::npos;
  const LogFormat format = events ? LogFormat::events : LogFormat::text;
  if (!follow) {
    auto reader = TRY(sys::JournalReader::open(options));
    const auto lines = TRY(reader->read(kLogLinesMax));
    std::string text;
    for (const sys::JournalLine& line : lines) text += format_line(line, format);
    return Response::text(std::move(text),
                          events ? "text/event-stream" : "text/plain; charset=utf-8");
  }
  auto stream = std::make_shared<rest::ByteStream>();
  parts_.loop.post([self = self_, stream, options, format] {
    if (*self == nullptr) return stream->finish();
    Api& api = **self;
    if (api.followers_.size() >= kFollowersMax) return stream->finish();
    const std::uint64_t number = api.follower_next_++;
    auto gone = [self, number] {
      if (*self == nullptr) return;
      // Not inside the follower's own call.
      (*self)->parts_.loop.post([self, number] {
        if (*self != nullptr) (*self)->followers_.erase(number);
      });
    };
    auto follower = LogFollower::make(api.parts_.loop, options, format, stream, gone);
    if (!follower) return stream->finish();
    api.followers_[number] = *std::move(follower);
  });
  Response out = Response::event_stream(stream);
  if (!events) out.headers["Content-Type"] = "text/plain; charset=utf-8";
  return out;
}

Result<Response> Api::list_images(const Request&) {
  const auto in_use = parts_.supervisor.images_in_use();
  Json list = Json::array();
  for (const Image& image : parts_.images.list()) {
    list.push_back({{"digest", image.digest},
                    {"references", image.references},
                    {"size_bytes", image.size_bytes},
                    {"pulled_at", image.pulled_at},
                    {"in_use", in_use.contains(image.digest)}});
  }
  return Response::json({{"images", std::move(list)}});
}

Result<Response> Api::pull_image(const Request& request) {
  const Json json = TRY(request.json());
  base::Fields fields(json);
  std::string reference;
  bool force = false;
  fields.required("reference", reference, {.length_min = 1, .length_max = 2048});
  fields.optional("force", force);
  if (!fields.failed() && !api::is_image_reference(reference)) {
    fields.reject("reference", "must be oci:/path:tag, oci-archive:/path or docker://name");
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  if (operations_.size() >= kOperationsMax) operations_.pop_front();
  operations_.push_back({std::to_string(operation_next_++), reference, "running", "", ""});
  const std::string id = operations_.back().id;
  auto find = [self = self_, id]() -> Operation* {
    if (*self == nullptr) return nullptr;
    for (Operation& each : (*self)->operations_) {
      if (each.id == id) return &each;
    }
    return nullptr;
  };
  parts_.images.ensure(
      reference, force,
      [find](const std::string& message) {
        if (Operation* operation = find()) operation->message = message;
      },
      [find](Result<Image> image) {
        Operation* operation = find();
        if (operation == nullptr) return;
        operation->state = image ? "done" : "failed";
        operation->message = image ? "" : base::to_string(image.error());
        if (image) operation->digest = image->digest;
      });
  return Response::json(operation_json(operations_.back()), 202)
      .with("Location", "/v1/operations/" + id);
}

Result<Response> Api::show_operation(const Request& request) {
  for (const Operation& each : operations_) {
    if (each.id == request.parameter("id")) return Response::json(operation_json(each));
  }
  return base::Error{base::Code::not_found, "no such operation", "operation_unknown"};
}

Result<Response> Api::remove_image(const Request& request) {
  TRY(parts_.images.remove(request.parameter("digest"), parts_.supervisor.images_in_use()));
  return Response::no_content();
}

Result<Response> Api::collect_images(const Request& request) {
  const bool all = TRY(request.query_flag("all"));
  return Response::json(
      {{"removed", parts_.images.collect(parts_.supervisor.images_in_use(), all)}});
}

void add_routes(rest::RouteTable& table, Api& api) { table.add(kRoutes, api); }
void describe_own_routes(rest::RouteTable& table) { table.describe(kRoutes); }

}  // namespace node::agent
