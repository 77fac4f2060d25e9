// SPDX-License-Identifier: Apache-2.0
// What the daemons answer, as text for people. Pure: JSON in, text out.
//
// A reply that lacks a field shows '-' in its place: a newer or older daemon must not break the
// view.
#pragma once

#include <string>

#include "cli/table.h"
#include "common/base/clock.h"
#include "common/base/json.h"

namespace cli {

// Field readers that never fail: the value at `path` ("a/b/0/c"), or the fallback.
std::string text_at(const base::Json& value, std::string_view path, std::string fallback = {});
double number_at(const base::Json& value, std::string_view path, double fallback = 0);
bool flag_at(const base::Json& value, std::string_view path, bool fallback = false);
// The value, or null.
const base::Json& value_at(const base::Json& value, std::string_view path);

// Seconds between a time as Marathon writes it (2026-01-31T08:00:00.123Z) and `now`; negative when
// the text is no such time.
double age_seconds(std::string_view time, base::WallTime now);

// GET /v2/apps: ID, instances, health, resources, what goes on.
std::string render_apps(const base::Json& reply, const Style& style);
// GET /v2/apps/{id}?embed=app.tasks…: settings, instances, the last failure.
std::string render_app(const base::Json& app, base::WallTime now, const Style& style);
std::string render_tasks(const base::Json& tasks, base::WallTime now, const Style& style);
// GET /v2/deployments.
std::string render_deployments(const base::Json& reply, const Style& style);
std::string render_deployment(const base::Json& deployment, const Style& style);
// Why instances of `app` are not placed, from GET /v2/queue: "no node takes it: InsufficientMemory
// (2 nodes)", "waits 12s after failures", or nothing.
std::string waiting_reason(const base::Json& queue, const std::string& app);
// "2 of 3 running, 1 healthy" of an app with its counts.
std::string progress_line(const base::Json& app);

}  // namespace cli
