// SPDX-License-Identifier: Apache-2.0
// What answers look like besides what their rows say: errors in each dialect, tasks, dry runs,
// explanations. The one place for /openapi.json and for RunningHost::check_reply().
//
// 1. ?explain=true adds `explain` to the object of a reply; what is no object stands beside it as
// `result`, also the null of a reply without a body.
// 2. ?dryrun=true answers 200 with a DryRun, whose `would.body` is the reply that was not sent.
// 3. 202 is a task, which Location leads to, or the row's own reply where the row says so.
// Threads: any.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "services/framework/action.h"
#include "services/framework/service.h"

namespace services {

// Components of every host: Problem, Task, DryRun, DryRunBeside, Explanation, Explained, and
// errors.
std::span<const Schema> common_schemas();
// {"$ref":"#/components/schemas/NAME"}
base::Json reference_to(std::string_view name);

// The components that an error of the row fits, when the client did not ask for a Problem.
std::vector<std::string_view> error_forms(Dialect dialect, const ActionRow& row);
// Whether its handlers answer with errors that RFC 6749 or the Kafka proxy prescribe, whatever the
// client accepts.
bool has_errors_of_its_own(Dialect dialect, const ActionRow& row);
// Media types of good replies with JSON; dry runs and explanations are application/json.
std::vector<std::string_view> json_types(Dialect dialect);
bool is_json_type(std::string_view type);  // a media type without parameters
// DryRun or DryRunBeside. Requires: the row is a mutation.
std::string_view dry_run_form(const ActionRow& row);
// Whether it may answer 202 with a task: begun, held by the gate, or suppressed by a rule.
bool may_answer_task(const ActionRow& row);

}  // namespace services
