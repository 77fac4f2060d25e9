// SPDX-License-Identifier: Apache-2.0
// The administration of the file system over HTTP (7860): volumes, status, devices, fsck.
//
// Threads: the handlers' own; what they ask of the state is done on the loop.
#pragma once

#include <functional>

#include "common/rest/route.h"
#include "dfs/meta/fsck.h"
#include "dfs/meta/server.h"

namespace dfs::meta {

struct Api {
  MetaServer* server = nullptr;
  MetaState* state = nullptr;
  replication::Group* group = nullptr;
  std::string name;         // of this server
  std::size_t members = 1;  // metadata servers there should be
  std::size_t copies = 3;   // of file content there should be
  // Runs on the loop, from any thread.
  std::function<void(std::function<void()>)> post;
};

// `api` may be null, to describe the routes. It outlives the table.
void add_routes(rest::RouteTable& table, Api* api);

// What is wrong and what that means for the data; `status` is ok, degraded or unavailable. Only on
// the loop.
base::Json health(const Api& api);

// What applying a checkpoint's content says, on a thread of its own. Errors: those of open_reader.
base::Result<FsckReport> check_durable(const BaseStore& store);

}  // namespace dfs::meta
