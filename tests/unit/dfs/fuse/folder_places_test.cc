// SPDX-License-Identifier: Apache-2.0
#include "dfs/fuse/folder_places.h"

#include "tests/support/check_result.h"

using dfs::fuse::FolderPlaces;

TEST_GROUP(FolderPlaces) { FolderPlaces places; };

TEST(FolderPlaces, a_folder_that_turns_up_in_another_was_where_it_was_told_of_last) {
  CHECK_FALSE(places.tell(10, {1, "a"}).has_value());
  CHECK_FALSE(places.tell(10, {1, "a"}).has_value());
  CHECK_FALSE(places.tell(10, {1, "b"}).has_value());
  const auto before = places.tell(10, {2, "c"});
  CHECK_TRUE(before == FolderPlaces::Place(1, "b"));
  CHECK_FALSE(places.tell(10, {2, "c"}).has_value());
}

TEST(FolderPlaces, own_renames_are_followed) {
  places.tell(10, {1, "a"});
  places.tell(11, {2, "b"});
  places.rename({1, "a"}, {3, "c"}, false);
  CHECK_FALSE(places.tell(10, {3, "c"}).has_value());
  places.rename({3, "c"}, {2, "b"}, true);
  CHECK_FALSE(places.tell(10, {2, "b"}).has_value());
  CHECK_FALSE(places.tell(11, {3, "c"}).has_value());
  // What was replaced is nowhere.
  places.rename({2, "b"}, {3, "c"}, false);
  CHECK_FALSE(places.tell(11, {9, "x"}).has_value());
  CHECK_TRUE(places.tell(10, {9, "y"}) == FolderPlaces::Place(3, "c"));
}

TEST(FolderPlaces, what_was_removed_or_forgotten_is_nowhere) {
  places.tell(10, {1, "a"});
  places.remove({1, "a"});
  CHECK_FALSE(places.tell(10, {2, "b"}).has_value());
  places.forget(10);
  CHECK_FALSE(places.tell(10, {3, "c"}).has_value());
  // Another folder at the same name.
  CHECK_FALSE(places.tell(11, {3, "c"}).has_value());
  CHECK_FALSE(places.tell(10, {4, "d"}).has_value());
}
