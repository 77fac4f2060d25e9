// SPDX-License-Identifier: Apache-2.0
#include "node/api/status.h"

#include <nlohmann/json.hpp>

#include "node/api/enum_text.h"

namespace node::api {

namespace {

using base::Fields;
using base::Json;

constexpr std::size_t kInstancesMax = 4000;
constexpr std::size_t kTimeMax = 40;
constexpr EnumWords<InstanceState, 9> kStates{{{InstanceState::staging, "staging"},
                                               {InstanceState::starting, "starting"},
                                               {InstanceState::running, "running"},
                                               {InstanceState::killing, "killing"},
                                               {InstanceState::finished, "finished"},
                                               {InstanceState::failed, "failed"},
                                               {InstanceState::killed, "killed"},
                                               {InstanceState::lost, "lost"},
                                               {InstanceState::error, "error"}}};

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

HealthResult read_health_result(Fields& fields) {
  HealthResult out;
  fields.optional("alive", out.alive);
  fields.optional("consecutive_failures", out.consecutive_failures, {.min = 0});
  fields.optional("first_success", out.first_success, {.length_max = kTimeMax});
  fields.optional("last_success", out.last_success, {.length_max = kTimeMax});
  fields.optional("last_failure", out.last_failure, {.length_max = kTimeMax});
  fields.optional("last_failure_cause", out.last_failure_cause);
  return out;
}

void read_last_response(Fields& parent, std::optional<CheckResponse>& out) {
  const Json* json = parent.find_object("last_response");
  if (json == nullptr) return;
  Fields fields(*json, parent.pointer_of("last_response"));
  CheckResponse response;
  fields.required("status", response.status, {.min = 0, .max = 999});
  fields.optional("content_type", response.content_type, {.length_max = 255});
  fields.optional("body", response.body, {.length_max = kCheckBodyMax});
  if (auto done = fields.finish(base::UnknownFields::refuse); !done) {
    return parent.reject(done.error());
  }
  out = std::move(response);
}

ReadinessResult read_readiness_result(Fields& fields) {
  ReadinessResult out;
  fields.required("name", out.name, {.length_max = 255});
  fields.optional("ready", out.ready);
  read_last_response(fields, out.last_response);
  return out;
}

template <class Item>
void read_results(Fields& parent, std::string_view name, std::vector<Item>& out,
                  Item (*read)(Fields&)) {
  const Json* list = parent.find_array(name, kChecksMax);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    Fields fields((*list)[i], base::child_pointer(parent.pointer_of(name), std::to_string(i)));
    Item item = read(fields);
    auto done = fields.finish(base::UnknownFields::refuse);
    if (!done) return parent.reject(done.error());
    out.push_back(std::move(item));
  }
}

Json health_result_json(const HealthResult& result) {
  return {{"alive", result.alive},
          {"consecutive_failures", result.consecutive_failures},
          {"first_success", text_or_null(result.first_success)},
          {"last_success", text_or_null(result.last_success)},
          {"last_failure", text_or_null(result.last_failure)},
          {"last_failure_cause", result.last_failure_cause}};
}

Json readiness_result_json(const ReadinessResult& result) {
  Json out{{"name", result.name}, {"ready", result.ready}};
  if (result.last_response) {
    out["last_response"] = {{"status", result.last_response->status},
                            {"content_type", result.last_response->content_type},
                            {"body", result.last_response->body}};
  }
  return out;
}

}  // namespace

std::string_view state_word(InstanceState state) { return word_of(kStates, state); }

base::Result<InstanceStatus> read_instance_status(const Json& json, const std::string& pointer) {
  InstanceStatus out;
  Fields fields(json, pointer);
  read_instance_id(fields, "id", out.id);
  fields.required("epoch", out.epoch, {.min = 0});
  read_enum(fields, "state", kStates, out.state);
  if (const Json* healthy = fields.find("healthy"); healthy != nullptr) {
    if (healthy->is_boolean()) {
      out.healthy = healthy->get<bool>();
    } else {
      fields.reject("healthy", "must be true, false or null");
    }
  }
  fields.optional("ready", out.ready);
  fields.optional("address", out.address, {.length_max = 253});
  read_port_numbers(fields, "ports", out.ports);
  fields.optional("pid", out.pid, {.min = 0});
  fields.optional("staged_at", out.staged_at, {.length_max = kTimeMax});
  fields.optional("started_at", out.started_at, {.length_max = kTimeMax});
  fields.optional("finished_at", out.finished_at, {.length_max = kTimeMax});
  fields.optional("message", out.message);
  fields.optional("exit_status", out.exit_status, {.min = 0, .max = 255});
  fields.optional("signal", out.signal, {.min = 0, .max = 64});
  fields.optional("out_of_memory", out.out_of_memory);
  fields.optional("degraded", out.degraded, 20, {.length_max = 64});
  read_results(fields, "health_results", out.health_results, read_health_result);
  read_results(fields, "readiness_results", out.readiness_results, read_readiness_result);
  TRY(fields.finish(base::UnknownFields::refuse));
  return out;
}

base::Result<StatusReport> read_status_report(const Json& json) {
  StatusReport out;
  Fields fields(json);
  fields.required("boot", out.boot, {.length_min = 1, .length_max = 64});
  fields.required("sequence", out.sequence, {.min = 0});
  fields.optional("full", out.full);
  const Json* list = fields.find_array("instances", kInstancesMax);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    auto item = read_instance_status((*list)[i], "/instances/" + std::to_string(i));
    if (!item) {
      fields.reject(item.error());
      break;
    }
    out.instances.push_back(*std::move(item));
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  return out;
}

Json to_json(const InstanceStatus& status) {
  Json results = Json::array();
  for (const HealthResult& each : status.health_results) {
    results.push_back(health_result_json(each));
  }
  Json out{{"id", status.id.text()},
           {"epoch", status.epoch},
           {"state", state_word(status.state)},
           {"healthy", status.healthy ? Json(*status.healthy) : Json()},
           {"ready", status.ready},
           {"address", status.address},
           {"ports", status.ports},
           {"pid", status.pid},
           {"staged_at", text_or_null(status.staged_at)},
           {"started_at", text_or_null(status.started_at)},
           {"finished_at", text_or_null(status.finished_at)},
           {"message", status.message},
           {"exit_status", status.exit_status},
           {"signal", status.signal},
           {"out_of_memory", status.out_of_memory},
           {"degraded", status.degraded},
           {"health_results", std::move(results)}};
  // Only when there are any: a masterd of before refuses fields that it does not know.
  for (const ReadinessResult& each : status.readiness_results) {
    out["readiness_results"].push_back(readiness_result_json(each));
  }
  return out;
}

Json to_json(const StatusReport& report) {
  Json list = Json::array();
  for (const InstanceStatus& each : report.instances) list.push_back(to_json(each));
  return {{"boot", report.boot},
          {"sequence", report.sequence},
          {"full", report.full},
          {"instances", std::move(list)}};
}

}  // namespace node::api
