// SPDX-License-Identifier: Apache-2.0
#include "services/event/event.h"

#include "tests/support/check_result.h"

using namespace services::event;

TEST_GROUP(Event){};

TEST(Event, channels_are_named_with_few_letters) {
  for (const char* name : {"a", "meta", "a.b-c_D9", "..a"}) CHECK_OK(check_channel_name(name));
  for (const char* name : {"", ".", "...", "a/b", "a b", "a\n", "\xc3\xa4"})
    CHECK_ERROR(base::Code::invalid_argument, "channel_name_invalid", check_channel_name(name));
}

TEST(Event, errors_point_at_the_field) {
  const auto pointer = [](const Event& event) { return check_event(event).error().pointer; };
  STRCMP_EQUAL("/uuid", pointer({"", "n"}).c_str());
  STRCMP_EQUAL("/event_name", pointer({"i", "a\tb"}).c_str());
  STRCMP_EQUAL("/key", pointer({"i", "n", std::string(4097, 'k')}).c_str());
  STRCMP_EQUAL("/data", pointer({"i", "n", {}, std::string((1 << 20) + 1, 'd')}).c_str());
  CHECK_OK(check_event({"i", ""}));
}

TEST(Event, the_partition_follows_from_the_key_and_else_from_the_id) {
  const Event keyed{"1", "n", "k"};
  const Event same{"2", "n", "k"};
  LONGS_EQUAL(choose_partition(keyed, 16), choose_partition(same, 16));
  bool differs = false;
  for (int i = 0; i < 16; ++i)
    differs = differs || choose_partition({std::to_string(i), "n"}, 16) !=
                             choose_partition({std::to_string(i + 1), "n"}, 16);
  CHECK_TRUE(differs);
}
