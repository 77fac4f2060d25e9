// SPDX-License-Identifier: Apache-2.0
#include "common/store/archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "common/store/table_store.h"
#include "common/sys/handle.h"
#include "common/sys/shared_file.h"

namespace store {

namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view kMagic = "GESTALT STORE 1\n";
constexpr std::string_view kMagicOfAll = "GESTALT STORE ";
enum class Frame : std::uint8_t { about = 1, table = 2, entries = 3, end = 4 };
constexpr std::size_t kFrameHead = 1 + 4 + 4;
constexpr std::size_t kFrameFull = 256 << 10;  // entries are sent when there are so many bytes
constexpr std::size_t kFrameMax = (16 << 20) + 4096;  // the largest record, with its key
constexpr std::size_t kEntriesOfCommit = 20'000;
constexpr std::size_t kBytesOfCommit = 16 << 20;

TableStore& tables_of(Store& store) {
  auto* tables = dynamic_cast<TableStore*>(&store);
  CHECK_THAT(tables != nullptr);
  return *tables;
}

// ---- writing

class ArchiveFile {
 public:
  // Beside `path`, under another name until it is whole.
  static Result<ArchiveFile> create(const std::string& path) {
    if (::access(path.c_str(), F_OK) == 0) {
      return Error{Code::already_exists, path + " is there already: name another file",
                   "file_exists"};
    }
    std::string partial = path + ".partial";
    ::unlink(partial.c_str());  // of a process that died
    sys::Fd fd(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd.is_open()) return base::os_error(errno, "create " + partial);
    return ArchiveFile(std::move(fd), std::move(partial), path);
  }
  ArchiveFile(ArchiveFile&& other) noexcept
      : fd_(std::move(other.fd_)),
        partial_(std::exchange(other.partial_, "")),
        path_(std::move(other.path_)) {}
  ArchiveFile& operator=(ArchiveFile&&) = delete;
  ~ArchiveFile() {
    if (!partial_.empty()) ::unlink(partial_.c_str());
  }

  Result<void> put(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t done = ::write(fd_.get(), bytes.data(), bytes.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return base::os_error(errno, "write " + partial_);
      bytes.remove_prefix(static_cast<std::size_t>(done));
      size_ += static_cast<std::uint64_t>(done);
    }
    return {};
  }
  Result<void> put_frame(Frame kind, std::string_view payload) {
    base::ByteWriter head;
    head.u8(static_cast<std::uint8_t>(kind)).u32(number_++);
    head.u32(static_cast<std::uint32_t>(payload.size()));
    base::ByteWriter tail;
    tail.u32(base::crc32c(payload, base::crc32c(head.bytes())));
    TRY(put(head.bytes()));
    TRY(put(payload));
    return put(tail.bytes());
  }
  Result<std::uint64_t> finish() {
    if (::fsync(fd_.get()) != 0) return base::os_error(errno, "sync " + partial_);
    // Unlike a rename, a link does not replace what somebody has put there meanwhile.
    if (::link(partial_.c_str(), path_.c_str()) != 0) {
      if (errno == EEXIST) {
        return Error{Code::already_exists, path_ + " is there already: name another file",
                     "file_exists"};
      }
      return base::os_error(errno, "name " + path_);
    }
    ::unlink(std::exchange(partial_, "").c_str());
    const std::filesystem::path folder = std::filesystem::absolute(path_).parent_path();
    TRY(sys::sync_path(folder));
    return size_;
  }

 private:
  ArchiveFile(sys::Fd fd, std::string partial, std::string path)
      : fd_(std::move(fd)), partial_(std::move(partial)), path_(std::move(path)) {}
  sys::Fd fd_;
  std::string partial_;
  std::string path_;
  std::uint32_t number_ = 0;
  std::uint64_t size_ = 0;
};

// Entries of a table, a frame at a time.
struct Packing {
  ArchiveFile& file;
  const ArchiveProgress& progress;
  std::string table = {};
  base::ByteWriter frame = {};
  std::uint64_t entries = 0;

  Result<void> send() {
    if (frame.bytes().empty()) return {};
    TRY(file.put_frame(Frame::entries, frame.bytes()));
    frame = {};
    if (progress) progress(entries);
    return {};
  }
  Result<void> add(std::string_view its_table, std::string_view key, std::string_view value) {
    if (its_table != table) {
      TRY(send());
      table = its_table;
      TRY(file.put_frame(Frame::table, table));
    }
    const std::size_t size = frame.bytes().size();
    if (size > 0 && size + key.size() + value.size() > kFrameFull) TRY(send());
    frame.text(key).text(value);
    ++entries;
    return {};
  }
};

// ---- reading

// The frames, one after the other.
class FrameReader {
 public:
  explicit FrameReader(const ArchiveSource& source) : source_(source) {}
  std::uint64_t place() const { return place_; }

  Error corrupt(const std::string& what) const {
    return Error{Code::corrupt, what + ", at byte " + std::to_string(place_) + " of the file",
                 "archive_corrupt"};
  }
  Result<void> read_magic() {
    const std::string magic = TRY(take(kMagic.size()));
    if (magic == kMagic) return {};
    if (magic.starts_with(kMagicOfAll)) {
      return Error{Code::unsupported, "the file was written by a newer version", "archive_format"};
    }
    return corrupt("the file is no copy of a store");
  }
  struct Read {
    Frame kind = Frame::end;
    std::string payload = {};
  };
  Result<Read> next() {
    const std::string head = TRY(take(kFrameHead));
    base::ByteReader reader(head);
    const std::uint8_t kind = TRY(reader.u8());
    const std::uint32_t number = TRY(reader.u32());
    const std::uint32_t size = TRY(reader.u32());
    if (number != number_) return corrupt("a frame is missing or in the wrong place");
    if (size > kFrameMax) return corrupt("a frame is longer than any can be");
    Read read{static_cast<Frame>(kind), TRY(take(size))};
    const std::string tail = TRY(take(4));
    base::ByteReader of_tail(tail);
    const std::uint32_t sum = TRY(of_tail.u32());
    if (sum != base::crc32c(read.payload, base::crc32c(head)))
      return corrupt("a checksum is wrong");
    if (kind < 1 || kind > 4) return corrupt("a frame is of an unknown kind");
    ++number_;
    return read;
  }
  Result<void> end() {
    char one = 0;
    const std::size_t more = TRY(source_(std::span(&one, 1)));
    return more == 0 ? Result<void>() : Result<void>(corrupt("something follows the end"));
  }

 private:
  Result<std::string> take(std::size_t size) {
    std::string bytes;
    // As much as there is, not as much as a broken length says.
    while (bytes.size() < size) {
      const std::size_t had = bytes.size();
      bytes.resize(std::min(size, had + (1 << 20)));
      const std::size_t got = TRY(source_(std::span(bytes).subspan(had)));
      bytes.resize(had + got);
      if (got == 0) return corrupt("the file is cut off");
    }
    place_ += size;
    return bytes;
  }
  const ArchiveSource& source_;
  std::uint32_t number_ = 0;
  std::uint64_t place_ = 0;
};

Result<std::uint64_t> read_entries(const FrameReader& frames, const std::string& table,
                                   std::string_view payload, const ArchiveEntry& visit) {
  std::uint64_t count = 0;
  base::ByteReader reader(payload);
  while (!reader.rest().empty()) {
    const auto key = reader.text();
    const auto value = reader.text();
    if (!key || !value || key->empty() || table.empty()) return frames.corrupt("an entry is wrong");
    TRY(visit(table, *key, *value));
    ++count;
  }
  return count;
}

ArchiveEntry counting(const ArchiveEntry& visit, const ArchiveProgress& progress) {
  return [&visit, &progress, done = std::uint64_t{0}](std::string_view table, std::string_view key,
                                                      std::string_view value) mutable {
    if (++done % kEntriesOfCommit == 0 && progress) progress(done);
    return visit(table, key, value);
  };
}

// Entries that are written in one transaction.
struct Batch {
  TableStore& store;
  struct Entry {
    std::string table, key, value;
  };
  std::vector<Entry> entries = {};
  std::size_t bytes = 0;

  Result<void> send(TableStore::Last last) {
    const TableStore::Fill fill = [&](const ArchiveEntry& put) -> Result<void> {
      for (const Entry& each : entries) TRY(put(each.table, each.key, each.value));
      return {};
    };
    TRY(store.load(fill, last));
    entries.clear();
    bytes = 0;
    return {};
  }
  Result<void> add(std::string_view table, std::string_view key, std::string_view value) {
    entries.push_back({std::string(table), std::string(key), std::string(value)});
    bytes += key.size() + value.size();
    const bool is_full = entries.size() >= kEntriesOfCommit || bytes >= kBytesOfCommit;
    return is_full ? send(TableStore::Last::no) : Result<void>();
  }
};

Result<ArchiveSource> open_source(const std::string& path) {
  auto fd = std::make_shared<sys::Fd>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd->is_open()) return base::os_error(errno, "open " + path);
  return ArchiveSource([fd, path](std::span<char> room) -> Result<std::size_t> {
    while (true) {
      const ssize_t got = ::read(fd->get(), room.data(), room.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return base::os_error(errno, "read " + path);
    }
  });
}

}  // namespace

Result<ArchiveSummary> read_archive(const ArchiveSource& source, const ArchiveEntry& visit) {
  FrameReader frames(source);
  ArchiveSummary summary;
  std::string table;
  TRY(frames.read_magic());
  for (bool is_first = true;; is_first = false) {
    const FrameReader::Read read = TRY(frames.next());
    if (is_first != (read.kind == Frame::about)) return frames.corrupt("the head is missing");
    if (read.kind == Frame::about) {
      if (read.payload.size() > kAboutMax) return frames.corrupt("the head is too long");
      summary.about = read.payload;
    } else if (read.kind == Frame::table) {
      table = read.payload;
    } else if (read.kind == Frame::entries) {
      summary.entries += TRY(read_entries(frames, table, read.payload, visit));
    } else {
      base::ByteReader reader(read.payload);
      const auto entries = reader.u64();
      if (!entries || *entries != summary.entries) return frames.corrupt("entries are missing");
      TRY(frames.end());
      summary.bytes = frames.place();
      return summary;
    }
  }
}

Result<ArchiveSummary> write_archive(Store& source, const std::string& path, std::string_view about,
                                     const ArchiveProgress& progress) {
  CHECK_THAT(about.size() <= kAboutMax);
  ArchiveFile file = TRY(ArchiveFile::create(path));
  TRY(file.put(kMagic));
  TRY(file.put_frame(Frame::about, about));
  Packing packing{file, progress};
  const ArchiveEntry add = [&](std::string_view table, std::string_view key,
                               std::string_view value) { return packing.add(table, key, value); };
  TRY(tables_of(source).dump(add));
  TRY(packing.send());
  TRY(file.put_frame(Frame::end, base::ByteWriter().u64(packing.entries).bytes()));
  return ArchiveSummary{std::string(about), packing.entries, TRY(file.finish())};
}

Result<bool> is_empty(Store& store) { return tables_of(store).is_empty(); }

Result<ArchiveSummary> check_archive(const std::string& path) {
  const ArchiveSource source = TRY(open_source(path));
  return read_archive(source, [](auto, auto, auto) { return Result<void>(); });
}

Result<ArchiveSummary> load_archive(const std::string& path, Store& empty, Commits commits,
                                    const ArchiveProgress& progress) {
  TableStore& store = tables_of(empty);
  const bool is_empty = TRY(store.is_empty());
  if (!is_empty) {
    return Error{Code::failed_precondition,
                 "the store holds records: a copy is loaded into an empty one only",
                 "store_not_empty"};
  }
  const ArchiveSource source = TRY(open_source(path));
  ArchiveSummary summary;
  if (commits == Commits::one) {
    const TableStore::Fill fill = [&](const ArchiveEntry& put) -> Result<void> {
      summary = TRY(read_archive(source, counting(put, progress)));
      return {};
    };
    TRY(store.load(fill, TableStore::Last::yes));
    return summary;
  }
  Batch batch{store};
  const ArchiveEntry add = [&](std::string_view table, std::string_view key,
                               std::string_view value) { return batch.add(table, key, value); };
  summary = TRY(read_archive(source, counting(add, progress)));
  TRY(batch.send(TableStore::Last::yes));
  return summary;
}

}  // namespace store
