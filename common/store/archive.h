// SPDX-License-Identifier: Apache-2.0
// A store in one file, whatever its engine: a copy made while the store is in use, checked as a
// whole before anything of it is believed, and loaded into an empty store.
//
// Used by the services' tool (`gestalt-services store …`) and the engines' conformance suite.
// 1. The file is a row of frames: kind, number, length, payload, CRC-32C over all of these. A frame
// that is missing, twice or elsewhere breaks the numbers; the last one says how much there was.
// 2. Indexes are not in it: they are made anew. Versions of records and the feed are kept.
// 3. Checksums find accidents. They do not find who may write the file and is no friend.
// Threads: one for each call. Errors: those of the store, and as said.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/store/store.h"

namespace store {

struct ArchiveSummary {
  std::string about;  // what the writer said of it
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of the file
};

// How many entries are done; may be empty.
using ArchiveProgress = std::function<void(std::uint64_t entries)>;
inline constexpr std::size_t kAboutMax = 64 << 10;

// Into a new file of mode 0600 that is whole or not there. `about`: at most kAboutMax bytes.
// Errors: already_exists file_exists; os errors.
base::Result<ArchiveSummary> write_archive(Store& source, const std::string& path,
                                           std::string_view about,
                                           const ArchiveProgress& progress = {});
// Errors: corrupt archive_corrupt, with the place in the file; unsupported archive_format; os
// errors.
base::Result<ArchiveSummary> check_archive(const std::string& path);

// `one`: everything in a single transaction, so that a process that dies leaves nothing. `many`:
// for a store that nobody looks at before the end.
enum class Commits { one, many };
// Requires: check_archive() had no objection. Errors: failed_precondition store_not_empty,
// store_layout_differs when it holds a collection that the store does not know.
base::Result<ArchiveSummary> load_archive(const std::string& path, Store& empty, Commits commits,
                                          const ArchiveProgress& progress = {});

base::Result<bool> is_empty(Store& store);  // of records; indexes do not count

// Gives the next bytes, at least one and at most as many as fit; none at the end.
using ArchiveSource = std::function<base::Result<std::size_t>(std::span<char> room)>;
using ArchiveEntry = std::function<base::Result<void>(std::string_view table, std::string_view key,
                                                      std::string_view value)>;
// What the two above do. Memory: one frame.
base::Result<ArchiveSummary> read_archive(const ArchiveSource& source, const ArchiveEntry& visit);

}  // namespace store
