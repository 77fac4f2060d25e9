// SPDX-License-Identifier: Apache-2.0
#include "services/framework/action.h"

#include <CppUTest/TestHarness.h>

#include "tests/support/services/notes.h"

namespace {

using namespace services;

TEST_GROUP(Actions){};

TEST(Actions, a_table_keeps_what_its_rows_say) {
  test::Notes notes;
  ActionTable table;
  notes.actions(table);
  CHECK_EQUAL(6U, table.rows().size());
  const ActionRow& create = table.rows()[3];
  CHECK(create.name == "note.create");
  CHECK(create.access.kind() == Access::Kind::right);
  CHECK(create.access.name() == "writeNotes");
  CHECK(create.prepare != nullptr);
  CHECK(!create.body_schema.empty());
  CHECK(table.rows()[0].access.kind() == Access::Kind::anonymous);
  CHECK(table.rows()[5].has(kAsync));
}

TEST(Actions, an_access_decision_cannot_be_left_out) {
  CHECK(!std::is_default_constructible_v<Access>);
}

}  // namespace
