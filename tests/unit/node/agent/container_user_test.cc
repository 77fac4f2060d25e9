// SPDX-License-Identifier: Apache-2.0
#include "node/agent/container_user.h"

#include "tests/support/check_result.h"

using node::agent::ContainerUser;
using node::agent::find_user;

namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:100:App:/srv/app:/bin/sh\n"
    "big:x:70000:1:b:/:/x\n";
constexpr const char* kGroup = "root:x:0:\nstaff:x:50:app,other\napps:x:100:app\nlog:x:60:app\n";

}  // namespace

TEST_GROUP(ContainerUser){};

TEST(ContainerUser, names_and_numbers_are_found) {
  const struct {
    const char* text;
    ContainerUser expected;
  } cases[] = {
      {"", {0, 0, {}, "/root"}},
      {"root", {0, 0, {}, "/root"}},
      {"app", {1000, 100, {50, 60}, "/srv/app"}},
      {"1000", {1000, 100, {50, 60}, "/srv/app"}},
      {"app:staff", {1000, 50, {}, "/srv/app"}},
      {"app:7", {1000, 7, {}, "/srv/app"}},
      {"4711", {4711, 0, {}, "/"}},
      {"4711:4712", {4711, 4712, {}, "/"}},
  };
  for (const auto& each : cases) {
    const ContainerUser found = UNWRAP(find_user(each.text, kPasswd, kGroup));
    CHECK_TEXT(found == each.expected, each.text);
  }
}

TEST(ContainerUser, what_the_image_does_not_know_or_cannot_be_mapped_is_refused) {
  for (const char* text : {"nobody", "app:nobodies", "big", "70000", "-1", "0x0"}) {
    CHECK_ERROR(base::Code::not_found, "user_unknown", find_user(text, kPasswd, kGroup));
  }
}

TEST(ContainerUser, an_image_without_user_files_still_has_numbers) {
  CHECK(UNWRAP(find_user("5:6", "", "")) == (ContainerUser{5, 6, {}, "/"}));
}
