// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/node/agent/peers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "netfw/api/wire.h"
#include "tests/support/check_result.h"

namespace agent_test {

namespace {

using base::Result;
using rest::Method;
using rest::Request;
using rest::Response;

std::string ports_text(const std::vector<std::uint16_t>& ports) {
  std::string out;
  for (const std::uint16_t port : ports) out += " " + std::to_string(port);
  return out;
}

}  // namespace

Peers::Peers(sys::EventLoop& loop, sys::WorkerPool& workers, const TempFolder& folder)
    : loop_(loop),
      workers_(workers),
      folder_(folder.path()),
      tokens_({.file = folder / "tokens.json"}) {
  add(Method::put, "/internal/v1/agents/{node}/status", &Peers::take_report);
  add(Method::put, "/v1/instances/{id}", &Peers::take_instance);
  add(Method::del, "/v1/instances/{id}", &Peers::take_instance);
  add(Method::post, "/v1/instances/{id}/drain", &Peers::take_instance);
  add(Method::put, "/v1/nodes/{node}/instances", &Peers::take_all);
  add(Method::post, "/dfs/v1/volumes", &Peers::make_volume);
  add(Method::patch, "/dfs/v1/volumes/{name}", &Peers::change_volume);
}

void Peers::add(Method method, const char* path,
                Result<Response> (Peers::*handler)(const Request&)) {
  table_.add(
      rest::Row{method,
                path,
                rest::Scope("agent:report"),
                rest::Run::on_loop,
                [this, handler](const Request& request) { return (this->*handler)(request); },
                "",
                {}});
}

std::string Peers::master_socket() const { return folder_ + "/masterd.sock"; }
std::string Peers::netfw_socket() const { return folder_ + "/netfwd.sock"; }
std::string Peers::dfs_socket() const { return folder_ + "/dfs-meta.sock"; }

void Peers::start() {
  server_ = UNWRAP(rest::Server::make({loop_, workers_, tokens_, metrics_}, table_,
                                      {{.unix_path = master_socket()},
                                       {.unix_path = netfw_socket()},
                                       {.unix_path = dfs_socket()}}));
}

void Peers::stop() {
  server_.reset();
  std::filesystem::remove(master_socket());
  std::filesystem::remove(netfw_socket());
  std::filesystem::remove(dfs_socket());
}

Result<Response> Peers::make_volume(const Request& request) {
  const base::Json json = TRY(request.json());
  base::Fields fields(json);
  std::string name;
  std::int64_t quota = 0, uid = -1, gid = -1;
  fields.required("name", name, {.length_min = 1, .length_max = 64});
  fields.optional("quota_bytes", quota, {.min = 0});
  fields.required("uid", uid, {.min = 0, .max = 65535});
  fields.required("gid", gid, {.min = 0, .max = 65535});
  TRY(fields.finish(base::UnknownFields::refuse));
  if (dfs_status != 200)
    return base::Error{base::Code::unavailable, "no metadata server leads", "not_primary"};
  if (!volumes.emplace(name, quota).second)
    return base::Error{base::Code::already_exists, "there is one", "volume_exists"};
  volume_owner = std::to_string(uid) + ":" + std::to_string(gid);
  return Response::created("/dfs/v1/volumes/" + name, base::Json::object());
}

Result<Response> Peers::change_volume(const Request& request) {
  const base::Json json = TRY(request.json());
  base::Fields fields(json);
  std::int64_t quota = -1;
  fields.required("quota_bytes", quota, {.min = 0});
  TRY(fields.finish(base::UnknownFields::refuse));
  const auto at = volumes.find(request.parameter("name"));
  if (at == volumes.end())
    return base::Error{base::Code::not_found, "there is none", "volume_unknown"};
  at->second = quota;
  return Response::json(base::Json::object());
}

Result<Response> Peers::take_report(const Request& request) {
  const base::Json json = TRY(request.json());
  auto report = TRY(node::api::read_status_report(json));
  STRCMP_EQUAL("n1", request.parameter("node").c_str());
  reports.push_back(report);
  return Response::json({{"acknowledged", report.sequence}}, master_status);
}

Result<Response> Peers::take_instance(const Request& request) {
  const std::string& id = request.parameter("id");
  if (request.method == Method::del) {
    netfw_calls.push_back("DELETE " + id);
    return netfw_status == 200 ? Response::no_content() : Response::json({}, netfw_status);
  }
  const base::Json json = TRY(request.json());
  if (request.method == Method::post) {
    netfw_calls.push_back("DRAIN " + id + " " + json["deadline_ms"].dump());
    return Response::json({{"drained", true}, {"sessions", 0}}, netfw_status);
  }
  const auto instance = TRY(netfw::read_instance(json, id));
  netfw_calls.push_back("PUT " + id + " " + std::string(netfw::state_name(instance.state)) +
                        ports_text(instance.ports));
  return Response::json(base::Json::object(), netfw_status);
}

Result<Response> Peers::take_all(const Request& request) {
  const base::Json json = TRY(request.json());
  const auto all = TRY(netfw::read_instances(json, netfw::NodeName("n1")));
  std::string line = "ALL";
  for (const auto& each : all) {
    line += " " + each.id.text() + "=" + std::string(netfw::state_name(each.state));
  }
  netfw_calls.push_back(line);
  return Response::json(base::Json::object(), netfw_status);
}

bool Peers::has_netfw_call(const std::string& text) const {
  return std::find(netfw_calls.begin(), netfw_calls.end(), text) != netfw_calls.end();
}

const node::api::InstanceStatus* Peers::last(const std::string& id) const {
  for (auto report = reports.rbegin(); report != reports.rend(); ++report) {
    for (const auto& status : report->instances) {
      if (status.id.text() == id) return &status;
    }
  }
  return nullptr;
}

std::unique_ptr<sys::EventLoop> make_loop() { return UNWRAP(sys::EventLoop::make()); }
std::unique_ptr<sys::AsyncHttp> make_http(sys::EventLoop& loop) {
  return UNWRAP(sys::AsyncHttp::make(loop));
}

}  // namespace agent_test
