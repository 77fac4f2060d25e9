// SPDX-License-Identifier: Apache-2.0
#include "netfw/daemon/routes.h"

#include <nlohmann/json.hpp>

#include "common/base/text.h"

namespace netfw {
namespace {

using base::Result;
using rest::Request;
using rest::Response;

constexpr rest::Scope kRead("netfw:read");
constexpr rest::Scope kDeploy("netfw:deploy");
constexpr rest::Scope kPolicy("netfw:policy");
constexpr rest::RouteLimits kLarge = {.body_max = 16 << 20};
constexpr rest::RouteLimits kDrain = {.handler_max = std::chrono::seconds(330)};
constexpr std::int64_t kDrainMsMax = 300'000;
constexpr std::int64_t kTrialSecondsMax = 3600;
constexpr base::JsonLimits kLargeJson = {.bytes_max = 16 << 20};

Result<Response> put_services(Api& api, const Request& request) {
  const base::Json body = TRY(base::parse_json(request.body, kLargeJson));
  ServiceSet set = TRY(read_services(body));
  const auto reply = TRY(api.engine->put_services(std::move(set), request.body));
  api.changed();
  return Response::json({{"generation", reply.generation},
                         {"applied", true},
                         {"problems", write_problems(reply.problems)}});
}

Result<Response> put_instance(Api& api, const Request& request) {
  const base::Json body = TRY(request.json());
  Instance instance = TRY(read_instance(body, request.parameter("id")));
  const auto done = api.engine->put_instance(std::move(instance));
  api.changed();
  if (!done) return done.error();
  return Response::json({{"applied", true}});
}

Result<Response> drain_instance(Api& api, const Request& request) {
  std::int64_t deadline_ms = 5000;
  if (!request.body.empty()) {
    const base::Json body = TRY(request.json());
    base::Fields fields(body);
    fields.optional("deadline_ms", deadline_ms, {.min = 0, .max = kDrainMsMax});
    TRY(fields.finish(base::UnknownFields::refuse));
  }
  const InstanceId id = TRY(parse_instance_id(request.parameter("id")));
  const auto reply = api.engine->drain(id, std::chrono::milliseconds(deadline_ms));
  api.changed();
  if (!reply) return reply.error();
  return Response::json({{"drained", reply->drained}, {"sessions", reply->sessions}});
}

Result<Response> delete_instance(Api& api, const Request& request) {
  const InstanceId id = TRY(parse_instance_id(request.parameter("id")));
  const auto done = api.engine->remove_instance(id);
  api.changed();
  if (!done) return done.error();
  return Response::no_content();
}

Result<Response> put_node_instances(Api& api, const Request& request) {
  const NodeName node = TRY(parse_node_name(request.parameter("node")));
  const base::Json body = TRY(base::parse_json(request.body, kLargeJson));
  auto instances = TRY(read_instances(body, node));
  const std::size_t count = instances.size();
  const auto done = api.engine->put_node_instances(node, std::move(instances));
  api.changed();
  if (!done) return done.error();
  return Response::json({{"applied", true}, {"instances", count}});
}

Result<Response> get_status(Api& api, const Request&) {
  return Response::json(api.engine->status());
}
Result<Response> get_services(Api& api, const Request&) {
  return Response::json(api.engine->services());
}
Result<Response> get_instances(Api& api, const Request&) {
  return Response::json(api.engine->instances());
}
Result<Response> get_firewall(Api& api, const Request&) {
  return Response::json(api.engine->firewall());
}
Result<Response> get_policy(Api& api, const Request&) {
  return Response::json(api.engine->policy());
}

Result<Policy> sent_policy(const Request& request) {
  const base::Json body = TRY(request.json());
  Policy policy = TRY(read_policy(body));
  if (body.find("management_sources") != body.end()) return policy;
  return base::Error{.code = base::Code::invalid_argument,
                     .detail = "who may manage the node has no default",
                     .reason = "field_missing",
                     .pointer = "/management_sources"};
}

Result<Response> post_plan(Api& api, const Request& request) {
  const Policy policy = TRY(sent_policy(request));
  return Response::json(TRY(api.engine->plan(policy)));
}

Engine::Caller caller_of(const Request& request) {
  return {request.principal.name, request.peer, request.id};
}

// 200 stored, 202 on trial.
Result<Response> put_policy(Api& api, const Request& request) {
  const Policy policy = TRY(sent_policy(request));
  const std::int64_t seconds = TRY(request.query_int("confirm_seconds", 0, 0, kTrialSecondsMax));
  std::optional<std::chrono::seconds> wanted;
  if (seconds > 0) wanted = std::chrono::seconds(seconds);
  const auto trial = TRY(api.engine->put_policy(policy, wanted, caller_of(request)));
  api.changed();
  return Response::json(api.engine->policy(), trial ? 202 : 200);
}

// A request over TCP came by a connection that may prove the policy itself; one by the unix socket
// names the connection of the session that it is sent from.
Result<Response> confirm_policy(Api& api, const Request& request) {
  const base::Json body = TRY(request.json());
  base::Fields fields(body);
  Engine::Confirmation confirmation;
  std::string connection;
  fields.required("trial", confirmation.trial, {.length_min = 1, .length_max = 64});
  fields.optional("connection", connection, {.length_max = 100});
  TRY(fields.finish(base::UnknownFields::refuse));
  if (connection.empty() && !request.peer.starts_with("unix:")) connection = request.peer;
  if (!connection.empty()) confirmation.connection = TRY(parse_remote(connection));
  TRY(api.engine->confirm_policy(confirmation, caller_of(request)));
  return Response::json(api.engine->policy());
}

Result<Response> rollback_policy(Api& api, const Request& request) {
  TRY(api.engine->rollback_policy(caller_of(request)));
  api.changed();
  return Response::json(api.engine->policy());
}

Result<Packet> read_packet(const base::Json& body) {
  base::Fields fields(body);
  Packet out;
  std::string source;
  std::string destination;
  std::string protocol = "tcp";
  std::string state = "new";
  std::string chain = "input";
  std::int64_t port = 0;
  std::int64_t icmp_type = 0;
  fields.required("source", source);
  fields.required("destination", destination);
  fields.optional("protocol", protocol);
  fields.optional("state", state);
  fields.optional("chain", chain);
  fields.optional("port", port, {.min = 0, .max = 65535});
  fields.optional("icmp_type", icmp_type, {.min = 0, .max = 255});
  fields.optional("loopback", out.from_loopback);
  const std::map<std::string, Protocol> protocols = {
      {"tcp", Protocol::tcp}, {"udp", Protocol::udp}, {"icmp", Protocol::icmp}};
  const std::map<std::string, FlowState> states = {
      {"new", kNew}, {"established", kEstablished}, {"related", kRelated}, {"invalid", kInvalid}};
  if (!protocols.contains(protocol)) fields.reject("protocol", "expected tcp, udp or icmp");
  if (!states.contains(state)) {
    fields.reject("state", "expected new, established, related or invalid");
  }
  if (chain != "input" && chain != "forward") fields.reject("chain", "expected input or forward");
  TRY(fields.finish(base::UnknownFields::refuse));
  out.source = TRY(IpAddress::parse(source));
  out.destination = TRY(IpAddress::parse(destination));
  out.protocol = protocols.at(protocol);
  out.state = states.at(state);
  out.chain = chain == "input" ? Chain::input : Chain::forward;
  out.port = static_cast<std::uint16_t>(port);
  out.icmp_type = static_cast<std::uint8_t>(icmp_type);
  return out;
}

Result<Response> post_verdict(Api& api, const Request& request) {
  const base::Json body = TRY(request.json());
  const Judgement judgement = api.engine->judge(TRY(read_packet(body)));
  return Response::json({{"verdict", judgement.verdict == Verdict::accept ? "accept" : "drop"},
                         {"rule", judgement.rule}});
}

using rest::Method;
using rest::Run;
constexpr rest::Route<Api> kRoutes[] = {
    {Method::put, "/v1/services", kDeploy, Run::on_worker, put_services,
     "Replace the whole set of services", kLarge},
    {Method::get, "/v1/services", kRead, Run::on_worker, get_services,
     "Services with what was left out of their labels"},
    {Method::put, "/v1/instances/{id}", kDeploy, Run::on_worker, put_instance,
     "Set one instance; answers when kernel and HAProxy agree"},
    {Method::post, "/v1/instances/{id}/drain", kDeploy, Run::on_worker, drain_instance,
     "Take an instance out of rotation and wait for its sessions", kDrain},
    {Method::del, "/v1/instances/{id}", kDeploy, Run::on_worker, delete_instance,
     "Take an instance away: rotation, port and live flows"},
    {Method::get, "/v1/instances", kRead, Run::on_worker, get_instances, "Instances"},
    {Method::put, "/v1/nodes/{node}/instances", kDeploy, Run::on_worker, put_node_instances,
     "Replace all instances of one node", kLarge},
    {Method::get, "/v1/status", kRead, Run::on_worker, get_status,
     "Firewall and load balancer at a glance"},
    {Method::get, "/v1/firewall", kRead, Run::on_worker, get_firewall,
     "The firewall's rules and sets"},
    {Method::get, "/v1/policy", kRead, Run::on_worker, get_policy, "The firewall's policy"},
    {Method::put, "/v1/policy", kPolicy, Run::on_worker, put_policy,
     "Replace the policy; on trial with ?confirm_seconds=N, and when it takes access away"},
    {Method::post, "/v1/plan", kRead, Run::on_worker, post_plan,
     "What a policy would change, without changing it"},
    {Method::post, "/v1/policy/confirm", kPolicy, Run::on_worker, confirm_policy,
     "Keep the policy on trial, over a new connection when it takes access away"},
    {Method::post, "/v1/policy/rollback", kPolicy, Run::on_worker, rollback_policy,
     "Take the policy on trial back"},
    {Method::post, "/v1/verdict", kRead, Run::on_worker, post_verdict,
     "What the firewall would do with a packet"},
};

}  // namespace

void add_routes(rest::RouteTable& table, Api& api) { table.add(kRoutes, api); }

}  // namespace netfw
