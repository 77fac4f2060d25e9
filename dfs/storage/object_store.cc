// SPDX-License-Identifier: Apache-2.0
#include "dfs/storage/object_store.h"

#include <algorithm>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/crc32c.h"

namespace dfs::storage {
namespace {

using base::Result;

constexpr int kEvictionSteps = 8;  // per page that comes in

PageKey page_of(const BlockName& name) { return {name.object, name.block / kPageBlocks}; }
std::size_t place_of(BlockNumber block) { return block % kPageBlocks; }

}  // namespace

std::string group_state_key(GroupNumber group) {
  return base::ByteWriter().u8('s').u32(group).take();
}

std::vector<BlockIndex::Change> encode_frozen(const Frozen& frozen) {
  std::vector<BlockIndex::Change> changes;
  changes.reserve(frozen.pages.size() + 1);
  for (const auto& [key, page] : frozen.pages) {
    std::string name = index_key(frozen.group, key);
    std::optional<std::string> value;
    if (page->present.any()) value = encode_page(name, *page);
    changes.push_back({std::move(name), std::move(value)});
  }
  changes.push_back({group_state_key(frozen.group), frozen.state});
  return changes;
}

ObjectStore::ObjectStore(BlockIndex& index, OpenFiles& files, Options options)
    : index_(index), files_(files), options_(std::move(options)) {}

void ObjectStore::evict() {
  for (int step = 0; step < kEvictionSteps && pages_.size() >= options_.pages_max; ++step) {
    auto place = pages_.lower_bound(hand_);
    if (place == pages_.end()) place = pages_.begin();
    hand_ = {place->first.object, place->first.page + 1};
    Cached& cached = place->second;
    if (cached.state == State::clean && !cached.used) {
      pages_.erase(place);
    } else {
      cached.used = false;
    }
  }
}

Result<ObjectStore::Pages::iterator> ObjectStore::load(const PageKey& key) {
  const auto found = pages_.find(key);
  if (found != pages_.end()) {
    found->second.used = true;
    return found;
  }
  const std::string name = index_key(options_.group, key);
  auto page = std::make_shared<SumPage>();
  const std::optional<std::string> stored = TRY(index_.find(name));
  if (stored) *page = TRY(decode_page(name, *stored));
  evict();
  return pages_.emplace(key, Cached{std::move(page)}).first;
}

Result<SumPage*> ObjectStore::change(const PageKey& key, std::uint64_t at) {
  Cached& cached = TRY(load(key))->second;
  if (cached.state == State::frozen) cached.page = std::make_shared<SumPage>(*cached.page);
  if (cached.state != State::dirty) dirty_.push_back(key);
  cached.state = State::dirty;
  cached.page->changed = std::max(cached.page->changed, at);
  return cached.page.get();
}

Result<std::shared_ptr<const SumPage>> ObjectStore::find_page(const PageKey& key) {
  const Pages::iterator found = TRY(load(key));
  if (found->second.page->present.none()) return std::shared_ptr<const SumPage>();
  return std::shared_ptr<const SumPage>(found->second.page);
}

Result<std::optional<PageKey>> ObjectStore::page_at_or_after(const PageKey& key) {
  auto cached = pages_.lower_bound(key);
  while (cached != pages_.end() && cached->second.page->present.none()) ++cached;
  std::optional<PageKey> first;
  if (cached != pages_.end()) first = cached->first;
  std::string from = index_key(options_.group, key);
  while (true) {
    const auto stored = TRY(index_.at_or_after(from));
    if (!stored) return first;
    const auto parsed = parse_index_key(stored->first);
    if (!parsed || parsed->first != options_.group) return first;
    const PageKey& found = parsed->second;
    if (first && *first <= found) return first;
    const auto newer = pages_.find(found);
    if (newer == pages_.end() || newer->second.page->present.any())
      return std::optional<PageKey>(found);
    from = stored->first + '\0';  // it is gone since the last checkpoint
  }
}

Result<DataFileHandle> ObjectStore::writable_file(ObjectNumber object, std::uint64_t start,
                                                  std::uint64_t end) {
  removed_.erase(object);  // it is used again
  DataFileHandle& file = dirty_files_[object];
  if (!file) file = TRY(files_.make({options_.group, object}));
  TRY(file->grow(start, end));
  return file;
}

Result<void> ObjectStore::write_file(ObjectNumber object, std::uint64_t offset,
                                     std::string_view data) {
  const DataFileHandle file = TRY(writable_file(object, offset, offset + data.size()));
  return file->file->write(offset, data);
}

void ObjectStore::unhold(SumPage& page, const BlockName& name) {
  if (!page.held[place_of(name.block)]) return;
  page.held.reset(place_of(name.block));
  held_.erase(name);
}

void ObjectStore::hold(SumPage& page, const BlockName& name, std::string content) {
  removed_.erase(name.object);  // it is used again
  page.held.set(place_of(name.block));
  held_[name] = std::make_shared<const std::string>(std::move(content));
}

bool ObjectStore::is_placed(const BlockName& name) const {
  const auto is_in = [&](const Placed& placed) {
    const auto page = placed.find(page_of(name));
    return page != placed.end() && page->second[place_of(name.block)];
  };
  return is_in(placed_) || is_in(placed_frozen_) || is_in(pledged_);
}

bool ObjectStore::has_placed(ObjectNumber object) const {
  const auto is_in = [&](const Placed& placed) {
    const auto page = placed.lower_bound({object, 0});
    return page != placed.end() && page->first.object == object;
  };
  return is_in(placed_) || is_in(placed_frozen_) || is_in(pledged_);
}

Result<std::optional<std::string>> ObjectStore::read_block(const SumPage& page,
                                                           const BlockName& name) {
  const std::size_t place = place_of(name.block);
  if (page.held[place]) return std::optional(*held_.at(name));
  const DataFileHandle file = TRY(files_.find({options_.group, name.object}));
  std::string content(kBlockBytes, '\0');
  // A block that cannot be read is as lost as one that does not match.
  if (!file || !file->file->read(name.block * kBlockBytes, content) ||
      base::crc32c(content) != page.sums[place])
    return std::optional<std::string>();
  return std::optional(std::move(content));
}

Result<void> ObjectStore::write_part(SumPage& page, const BlockName& name, std::size_t from,
                                     std::string_view part) {
  const std::size_t place = place_of(name.block);
  const std::uint64_t start = name.block * kBlockBytes;
  if (!page.present[place]) {
    std::string content(kBlockBytes, '\0');
    content.replace(from, part.size(), part);
    page.sums[place] = base::crc32c(content);
    page.present.set(place);
    if (is_placed(name)) {
      hold(page, name, std::move(content));
      return {};
    }
    page.remade.set(place);
    return write_file(name.object, start, content);
  }
  std::optional<std::string> content;
  if (!page.bad[place]) content = TRY(read_block(page, name));
  if (!content) {
    page.bad.set(place);
    // While the log is applied again what lies there may belong to a later entry.
    if (is_placed(name)) return {};
    return write_file(name.object, start + from, part);
  }
  content->replace(from, part.size(), part);
  page.sums[place] = base::crc32c(*content);
  if (page.remade[place]) return write_file(name.object, start + from, part);
  hold(page, name, *std::move(content));
  return {};
}

Result<void> ObjectStore::write(ObjectNumber object, std::uint64_t offset, std::string_view data,
                                std::span<const std::uint32_t> checksums, std::uint64_t at) {
  std::size_t part = 0;
  std::uint64_t whole_offset = 0;
  std::string_view whole;  // blocks in a row that go to the file
  const auto write_whole = [&]() -> Result<void> {
    if (whole.empty()) return {};
    return write_file(object, whole_offset, std::exchange(whole, {}));
  };
  for (std::size_t done = 0; done < data.size(); ++part) {
    const BlockName name{object, (offset + done) / kBlockBytes};
    const std::size_t from = (offset + done) % kBlockBytes;
    const std::size_t size = std::min(kBlockBytes - from, data.size() - done);
    SumPage& page = *TRY(change(page_of(name), at));
    if (size < kBlockBytes) {
      TRY(write_part(page, name, from, data.substr(done, size)));
    } else {
      const std::size_t place = place_of(name.block);
      page.present.set(place);
      page.bad.reset(place);
      page.sums[place] = checksums[part];
      if (is_placed(name)) {
        TRY(write_whole());
        page.remade.reset(place);
        hold(page, name, std::string(data.substr(done, size)));
      } else {
        if (whole.empty()) whole_offset = offset + done;
        whole = data.substr(whole_offset - offset, done + size - (whole_offset - offset));
        unhold(page, name);
        page.remade.set(place);
      }
    }
    done += size;
  }
  return write_whole();
}

Result<bool> ObjectStore::can_place(ObjectNumber object, std::uint64_t offset, std::size_t size) {
  if (offset % kBlockBytes != 0 || size % kBlockBytes != 0 || removed_.contains(object))
    return false;
  for (BlockNumber block = offset / kBlockBytes; block < (offset + size) / kBlockBytes; ++block) {
    const BlockName name{object, block};
    const auto page = TRY(find_page(page_of(name)));
    if ((page && page->present[place_of(block)]) || is_placed(name) || imaged_.contains(name) ||
        imaged_frozen_.contains(name))
      return false;
  }
  return true;
}

Result<DataFileHandle> ObjectStore::place(ObjectNumber object, std::uint64_t offset,
                                          std::string_view data) {
  const DataFileHandle file = TRY(writable_file(object, offset, offset + data.size()));
  TRY(file->file->write(offset, data));
  pledge(object, offset, data.size());
  return file;
}

void ObjectStore::pledge(ObjectNumber object, std::uint64_t offset, std::size_t size) {
  for (BlockNumber block = offset / kBlockBytes; block < (offset + size) / kBlockBytes; ++block)
    pledged_[page_of({object, block})].set(place_of(block));
}

Result<std::string> ObjectStore::read_placed(ObjectNumber object, std::uint64_t offset,
                                             std::size_t size) {
  const DataFileHandle file = TRY(files_.find({options_.group, object}));
  std::string content(size, '\0');
  if (!file || TRY(file->file->read(offset, content)) < size)
    return base::Error{base::Code::corrupt, "content that was placed is not there",
                       "entry_not_placed"};
  return content;
}

void ObjectStore::keep_placed(ObjectNumber object, std::uint64_t offset, std::size_t size) {
  for (BlockNumber block = offset / kBlockBytes; block < (offset + size) / kBlockBytes; ++block) {
    const BlockName name{object, block};
    placed_[page_of(name)].set(place_of(block));
    const auto pledged = pledged_.find(page_of(name));
    if (pledged == pledged_.end()) continue;
    pledged->second.reset(place_of(block));
    if (pledged->second.none()) pledged_.erase(pledged);
  }
}

Result<void> ObjectStore::write_placed(ObjectNumber object, std::uint64_t offset, std::size_t size,
                                       std::span<const std::uint32_t> checksums, std::uint64_t at) {
  removed_.erase(object);
  for (std::size_t part = 0; part < size / kBlockBytes; ++part) {
    const BlockName name{object, offset / kBlockBytes + part};
    SumPage& page = *TRY(change(page_of(name), at));
    const std::size_t place = place_of(name.block);
    unhold(page, name);
    page.present.set(place);
    page.bad.reset(place);
    page.remade.reset(place);
    page.sums[place] = checksums[part];
  }
  return {};
}

Result<void> ObjectStore::clear_blocks(ObjectNumber object, BlockNumber first, BlockNumber end,
                                       std::uint64_t at) {
  PageKey from{object, first / kPageBlocks};
  while (first < end) {
    const std::optional<PageKey> key = TRY(page_at_or_after(from));
    if (!key || key->object != object || key->page * kPageBlocks >= end) return {};
    SumPage& page = *TRY(change(*key, at));
    for (std::size_t place = 0; place < kPageBlocks; ++place) {
      const BlockName name{object, key->page * kPageBlocks + place};
      if (name.block < first || name.block >= end) continue;
      unhold(page, name);
      page.present.reset(place);
      page.bad.reset(place);
      page.remade.reset(place);
    }
    from = {object, key->page + 1};
  }
  return {};
}

Result<void> ObjectStore::punch(ObjectNumber object, std::uint64_t offset, std::uint64_t size,
                                std::uint64_t at) {
  const std::uint64_t end = size > UINT64_MAX - offset ? UINT64_MAX : offset + size;
  const auto clear_part = [&](std::uint64_t from, std::uint64_t to) -> Result<void> {
    const BlockName name{object, from / kBlockBytes};
    const auto there = TRY(find_page(page_of(name)));
    if (!there || !there->present[place_of(name.block)]) return {};
    SumPage& page = *TRY(change(page_of(name), at));
    return write_part(page, name, from % kBlockBytes, std::string(to - from, '\0'));
  };
  const BlockNumber first = offset / kBlockBytes + (offset % kBlockBytes != 0 ? 1 : 0);
  const BlockNumber last = end / kBlockBytes;
  if (offset % kBlockBytes != 0) TRY(clear_part(offset, std::min(end, first * kBlockBytes)));
  if (end % kBlockBytes != 0 && end != UINT64_MAX && last >= first)
    TRY(clear_part(last * kBlockBytes, end));
  TRY(clear_blocks(object, first, last, at));
  if (first >= last) return {};
  // What is needed stays; its space comes back with the object.
  if (has_placed(object)) return {};
  const DataFileHandle file = TRY(files_.find({options_.group, object}));
  if (!file || first * kBlockBytes >= file->size) return {};
  dirty_files_[object] = file;
  const std::uint64_t hole_end = std::min(last * kBlockBytes, file->size);
  const Result<void> punched =
      file->file->punch(first * kBlockBytes, hole_end - first * kBlockBytes);
  // Without the means the space comes back with the object; the content is a hole already.
  if (!punched && punched.error().code != base::Code::unsupported) return punched;
  return {};
}

Result<void> ObjectStore::cut(ObjectNumber object, std::uint64_t size, std::uint64_t at) {
  const BlockNumber end = size / kBlockBytes + (size % kBlockBytes != 0 ? 1 : 0);
  if (size % kBlockBytes != 0) TRY(punch(object, size, end * kBlockBytes - size, at));
  TRY(clear_blocks(object, end, UINT64_MAX, at));
  if (has_placed(object)) return {};
  const DataFileHandle file = TRY(files_.find({options_.group, object}));
  if (!file || file->size <= end * kBlockBytes) return {};
  dirty_files_[object] = file;
  TRY(file->file->truncate(end * kBlockBytes));
  file->size = end * kBlockBytes;
  return {};
}

Result<void> ObjectStore::remove(ObjectNumber object, std::uint64_t at) {
  TRY(clear_blocks(object, 0, UINT64_MAX, at));
  if (has_placed(object)) {
    removed_.insert(object);
    return {};
  }
  dirty_files_.erase(object);
  return files_.remove({options_.group, object});
}

Result<bool> ObjectStore::mend(const BlockName& block, std::string_view content,
                               std::uint64_t changed) {
  CHECK_THAT(content.size() == kBlockBytes);
  const std::size_t place = place_of(block.block);
  const auto page = TRY(find_page(page_of(block)));
  if (!page || !page->present[place] || page->held[place]) return true;
  const std::uint32_t sum = base::crc32c(content);
  if (page->bad[place]) {
    if (page->changed != changed) return false;
    SumPage& mended = *TRY(change(page_of(block), 0));
    mended.bad.reset(place);
    mended.sums[place] = sum;
  } else if (page->sums[place] != sum) {
    return false;
  }
  TRY(write_file(block.object, block.block * kBlockBytes, content));
  return true;
}

Result<void> ObjectStore::drop_page(const PageKey& key) {
  return clear_blocks(key.object, key.page * kPageBlocks, (key.page + 1) * kPageBlocks, 0);
}

Result<void> ObjectStore::adopt(const PageKey& key, const SumPage& page, const BlockBits& part,
                                const BlockBits& blocks, std::string_view content) {
  SumPage& here = *TRY(change(key, page.changed));
  for (std::size_t place = 0; place < kPageBlocks; ++place) {
    if (!part[place]) continue;
    const BlockName name{key.object, key.page * kPageBlocks + place};
    if (blocks[place] || !page.present[place]) unhold(here, name);
    here.present[place] = page.present[place];
    here.sums[place] = page.sums[place];
    here.remade.reset(place);
    here.bad[place] = blocks[place] && page.present[place] && page.bad[place];
    if (!blocks[place] || !page.present[place] || page.bad[place]) continue;
    if (is_placed(name)) {
      hold(here, name, std::string(content.substr(0, kBlockBytes)));
    } else {
      TRY(write_file(key.object, name.block * kBlockBytes, content.substr(0, kBlockBytes)));
    }
    content.remove_prefix(kBlockBytes);
  }
  return {};
}

Frozen ObjectStore::freeze() {
  Frozen frozen;
  frozen.group = options_.group;
  frozen.state = options_.state();
  frozen.pages.reserve(dirty_.size());
  for (const PageKey& key : dirty_) {
    Cached& cached = pages_.at(key);
    cached.page->remade.reset();
    cached.state = State::frozen;
    frozen.pages.emplace_back(key, cached.page);
  }
  dirty_.clear();
  frozen.images.assign(held_.begin(), held_.end());
  imaged_frozen_.clear();
  for (const auto& [name, image] : held_) imaged_frozen_.insert(name);
  placed_frozen_ = std::exchange(placed_, {});
  for (auto& [object, file] : dirty_files_) frozen.files.push_back(std::move(file));
  dirty_files_.clear();
  return frozen;
}

Result<void> ObjectStore::write_back(Frozen& frozen) {
  std::map<ObjectNumber, DataFileHandle> written;
  frozen.files.clear();
  // The index has what was placed before the freeze.
  placed_frozen_.clear();
  for (const auto& [name, image] : frozen.images) {
    const auto newest = held_.find(name);
    if (newest == held_.end()) continue;  // written whole, or gone, since
    TRY(write_file(name.object, name.block * kBlockBytes, *image));
    written[name.object] = dirty_files_.at(name.object);
    if (newest->second != image) continue;
    held_.erase(newest);
    pages_.at(page_of(name)).page->held.reset(place_of(name.block));
  }
  for (auto& [object, file] : written) frozen.files.push_back(std::move(file));
  return {};
}

Result<void> ObjectStore::thaw(const Frozen& frozen) {
  for (const auto& [key, page] : frozen.pages) {
    const auto found = pages_.find(key);
    if (found == pages_.end() || found->second.page != page || found->second.state != State::frozen)
      continue;
    if (page->present.none()) {
      pages_.erase(found);
    } else {
      found->second.state = State::clean;
    }
  }
  imaged_ = std::exchange(imaged_frozen_, {});
  for (auto object = removed_.begin(); object != removed_.end();) {
    if (has_placed(*object)) {
      ++object;
      continue;
    }
    dirty_files_.erase(*object);
    TRY(files_.remove({options_.group, *object}));
    object = removed_.erase(object);
  }
  return {};
}

}  // namespace dfs::storage
