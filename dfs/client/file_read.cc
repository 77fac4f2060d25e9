// SPDX-License-Identifier: Apache-2.0
// How FileData reads: what is in memory lies on top of what the storage servers have.
#include <algorithm>
#include <cstring>

#include "dfs/client/file_data.h"

namespace dfs::client {

using base::Error;
using base::Result;

namespace {

// A read under way. What was in memory when it began is in `out` already: by the time storage
// answers it may have been written, and the answer be from before that.
struct Assembly {
  std::string out;
  std::size_t missing = 0;
  bool is_failed = false;
  Done<std::string_view> done;
};

// The parts of the ranges that are not in `extents`.
std::vector<ByteRange> subtract(const std::vector<ByteRange>& ranges, const Extents& extents) {
  std::vector<ByteRange> left;
  for (const ByteRange& range : ranges)
    for (const ByteRange& gap : extents.gaps(range)) left.push_back(gap);
  return left;
}

}  // namespace

void FileData::read(Inode& inode, std::uint64_t offset, std::uint64_t size,
                    Done<std::string_view> done) {
  const Attributes& attributes = inode.record.attributes;
  if (offset >= attributes.size) return done(std::string_view{});
  size = std::min(size, attributes.size - offset);
  auto assembly = std::make_shared<Assembly>();
  if (attributes.object == 0) {
    const std::string& content = inode.record.content;
    if (offset + size <= content.size())
      return done(std::string_view(content).substr(offset, size));
    assembly->out.resize(size);
    if (offset < content.size()) content.copy(assembly->out.data(), size, offset);
    return done(assembly->out);
  }
  // The bytes behind a cut that is still to be made, of the object and of what is on its way there,
  // are from before it.
  const std::uint64_t end = std::min(offset + size, attributes.cut_to);
  std::vector<ByteRange> gaps;
  if (end > offset) gaps.push_back({offset, end - offset});
  if (inode.file) {
    Extents flights;
    for (const auto& [start, flight] : inode.file->flights)
      flights.punch({start, flight.extent.length}, 0);
    gaps = subtract(subtract(gaps, inode.file->dirty), flights);
  }
  assembly->done = std::move(done);
  const bool is_plain =
      gaps.size() == 1 && gaps[0] == ByteRange{offset, size} && size <= limits_.read_max;
  if (is_plain) {
    return storage_.read(place_of(inode), offset, static_cast<std::uint32_t>(size),
                         [assembly, size](const Result<std::string_view>& content) {
                           if (!content || content->size() == size) return assembly->done(content);
                           assembly->out.assign(*content);
                           assembly->out.resize(size);
                           assembly->done(std::string_view(assembly->out));
                         });
  }
  assembly->out.resize(size);
  if (inode.file) {
    for (const auto& [start, flight] : inode.file->flights) {
      const std::uint64_t from = std::max(start, offset);
      const std::uint64_t to = std::min(start + flight.extent.length, end);
      if (from < to && !flight.extent.is_hole())
        std::memcpy(assembly->out.data() + (from - offset),
                    flight.extent.bytes.data() + (from - start), to - from);
    }
    inode.file->dirty.overlay(offset, assembly->out);
  }
  std::vector<ByteRange> parts;
  for (const ByteRange& gap : gaps)
    for (std::uint64_t at = gap.offset; at < gap.end(); at += limits_.read_max)
      parts.push_back({at, std::min<std::uint64_t>(limits_.read_max, gap.end() - at)});
  if (parts.empty()) return assembly->done(std::string_view(assembly->out));
  assembly->missing = parts.size();
  for (const ByteRange& part : parts) {
    storage_.read(place_of(inode), part.offset, static_cast<std::uint32_t>(part.size),
                  [assembly, at = part.offset - offset](const Result<std::string_view>& content) {
                    --assembly->missing;
                    if (assembly->is_failed) return;
                    if (!content) {
                      assembly->is_failed = true;
                      return assembly->done(content.error());
                    }
                    content->copy(assembly->out.data() + at, content->size());
                    if (assembly->missing == 0) assembly->done(std::string_view(assembly->out));
                  });
  }
}

void FileData::seek(Inode& inode, std::uint64_t offset, SeekFor what, Done<std::uint64_t> done) {
  const Attributes& attributes = inode.record.attributes;
  if (offset >= attributes.size) return done(posix_error(ENXIO));
  if (attributes.object == 0) return done(what == SeekFor::data ? offset : attributes.size);
  SeekObject request;
  request.place = place_of(inode);
  request.offset = offset;
  request.what = what;
  const std::uint64_t size = attributes.size;
  storage_.call(request, [what, size, done = std::move(done)](const Result<SeekReply>& reply) {
    if (!reply) return done(reply.error());
    if (what == SeekFor::hole) return done(std::min(reply->offset, size));
    if (reply->offset >= size) return done(posix_error(ENXIO));
    done(reply->offset);
  });
}

}  // namespace dfs::client
