// SPDX-License-Identifier: Apache-2.0
// The schemas of a service's replies, for tests of what fits them: their names are the service's
// own, and what they refer to is there.
#pragma once

#include <CppUTest/TestHarness.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "services/framework/reply_forms.h"
#include "services/framework/schema.h"
#include "services/framework/service.h"
#include "tests/support/check_result.h"

namespace services::test {

struct SchemaRig : public Utest {
  Schemas schemas;

  void add(const std::vector<Schema>& all, const char* prefix) {
    for (const Schema& each : all) {
      if (!each.name.starts_with(prefix)) FAIL(std::string(each.name).c_str());
      CHECK_OK(schemas.add(each.name, each.text));
    }
    CHECK_OK(schemas.check_references());
  }
  bool fits(const char* name, const base::Json& value) {
    return schemas.validate(reference_to(name), value).has_value();
  }
};

}  // namespace services::test
