// SPDX-License-Identifier: Apache-2.0
// A store in memory with a root organisation, for tests of what changes it.
#pragma once

#include <functional>

#include "services/security/core/change.h"
#include "services/security/core/render.h"
#include "tests/support/check_result.h"

struct CoreRig : Utest {
  std::unique_ptr<store::Store> db =
      store::make_memory({.collections = security::security_collections()});
  base::Rng& rng = base::system_rng();
  security::OrgRecord root;
  security::DirectoryRecord users;
  security::AccountRecord admin;
  security::AppRecord app;

  CoreRig() {
    change([&](store::Writer& writer) -> base::Result<void> {
      root = {.id = rng.uuid(), .name = "root", .fqon = "root"};
      TRY(security::put(writer, root));
      users = TRY(security::create_directory(
          writer, {.id = rng.uuid(), .org = root.id, .name = "gestalt-user-dir"}));
      app = TRY(security::create_app(
          writer, {.id = rng.uuid(), .org = root.id, .name = "system", .service = true}));
      security::StoreRecord store{.id = rng.uuid(), .app = app.id};
      store.type = security::kStoreDirectory;
      store.store = users.id;
      store.default_accounts = store.default_groups = true;
      TRY(security::create_store(writer, store));
      admin = {.id = rng.uuid(), .directory = users.id, .username = "admin"};
      return security::create_account(writer, admin);
    });
  }
  void change(const std::function<base::Result<void>(store::Writer&)>& work) {
    CHECK_OK(db->write(work));
  }
  base::Result<void> attempt(const std::function<base::Result<void>(store::Writer&)>& work) {
    return db->write(work);
  }
  void look(const std::function<base::Result<void>(store::Reader&)>& work) {
    CHECK_OK(db->read(work));
  }
  std::size_t count(const char* collection) {
    std::size_t found = 0;
    look([&](store::Reader& reader) -> base::Result<void> {
      found = TRY(security::records_all(reader, collection, "")).size();
      return {};
    });
    return found;
  }
};
