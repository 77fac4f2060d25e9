// SPDX-License-Identifier: Apache-2.0
#include "services/event/segment_engine.h"

#include "common/base/bytes.h"

namespace services::event {
namespace {

constexpr std::string_view kChannels = "channels";
constexpr std::string_view kOffsets = "offsets";
constexpr std::uint8_t kChannelFormat = 1;
constexpr std::size_t kChannelFileMax = 4096;
constexpr std::size_t kSecretBytes = 16;

std::string folder_of_channel(const std::string& channel) {
  return std::string(kChannels) + "/" + channel;
}

std::string folder_of_partition(const std::string& channel, std::uint32_t partition) {
  return folder_of_channel(channel) + "/" + std::to_string(partition);
}

base::Result<void> check_options(const ChannelOptions& options) {
  if (options.partitions >= 1 && options.partitions <= kPartitionsMax &&
      options.retention_age.count() >= 0)
    return {};
  return base::Error{base::Code::invalid_argument, "a channel has 1 to 64 partitions",
                     "channel_invalid"};
}

base::Result<void> make_folder(base::Disk& disk, const std::string& path) {
  auto made = disk.make_folder(path);
  if (!made && made.error().code != base::Code::already_exists) return made;
  return {};
}

base::Result<void> write_whole(base::Disk& disk, const std::string& path, std::string_view bytes) {
  const std::string fresh = path + ".new";
  auto file = TRY(disk.open(fresh, base::OpenMode::create));
  TRY(file->truncate(0));
  TRY(file->write(0, bytes));
  TRY(file->sync());
  TRY(disk.rename(fresh, path));
  return disk.sync_folder(std::string(base::folder_of(path)));
}

base::Result<std::string> read_whole(base::Disk& disk, const std::string& path) {
  auto file = TRY(disk.open(path, base::OpenMode::existing));
  std::string bytes(kChannelFileMax, '\0');
  bytes.resize(TRY(file->read(0, std::span(bytes.data(), bytes.size()))));
  return bytes;
}

// Everything in a channel's folder, the file that says that it exists first.
base::Result<void> remove_tree(base::Disk& disk, const std::string& folder) {
  for (const char* name : {"/channel", "/channel.new"}) {
    auto gone = disk.remove(folder + name);
    if (!gone && gone.error().code != base::Code::not_found) return gone;
  }
  TRY(disk.sync_folder(folder));
  for (const std::string& partition : TRY(disk.list(folder))) {
    const std::string path = folder + "/" + partition;
    for (const std::string& segment : TRY(disk.list(path))) TRY(disk.remove(path + "/" + segment));
    TRY(disk.remove_folder(path));
  }
  TRY(disk.remove_folder(folder));
  return disk.sync_folder(std::string(kChannels));
}

}  // namespace

class SegmentEngine::Channel {
 public:
  Channel(std::string name, std::string secret, const ChannelOptions& options)
      : name_(std::move(name)),
        secret_(std::move(secret)),
        options_(options),
        partitions_(options.partitions) {}

  const ChannelOptions& options() const { return options_; }
  std::string encode() const {
    base::ByteWriter body;
    body.text(secret_).u32(options_.partitions).u64(options_.retention_bytes);
    body.i64(options_.retention_age.count());
    return base::seal_record(name_, kChannelFormat, body.bytes());
  }
  static base::Result<ChannelPointer> decode(const std::string& name, std::string_view bytes) {
    base::ByteReader reader(TRY(base::open_record(name, kChannelFormat, bytes)));
    std::string secret(TRY(reader.text()));
    ChannelOptions options;
    options.partitions = TRY(reader.u32());
    options.retention_bytes = TRY(reader.u64());
    options.retention_age = std::chrono::milliseconds(TRY(reader.i64()));
    TRY(reader.end());
    TRY(check_options(options));
    return std::make_shared<Channel>(name, std::move(secret), options);
  }

  base::Result<Partition*> partition(SegmentEngine& engine, std::uint32_t number) {
    if (number >= options_.partitions)
      return base::Error{base::Code::not_found,
                         name_ + " has " + std::to_string(options_.partitions) + " partitions",
                         "partition_unknown"};
    const std::lock_guard lock(mutex_);
    auto& partition = partitions_[number];
    if (!partition)
      partition = TRY(Partition::open(engine.disk_, engine.clock_,
                                      {folder_of_partition(name_, number), name_, number, secret_},
                                      options_, engine.options_.log));
    return partition.get();
  }
  void tick() {
    for (std::uint32_t i = 0; i < options_.partitions; ++i) {
      Partition* open = nullptr;
      {
        const std::lock_guard lock(mutex_);
        open = partitions_[i].get();
      }
      if (open != nullptr) open->tick();
    }
  }

 private:
  const std::string name_;
  const std::string secret_;
  const ChannelOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Partition>> partitions_;  // each is opened once and stays
};

SegmentEngine::SegmentEngine(base::Disk& disk, const base::Clock& clock, base::Rng& rng,
                             SegmentEngineOptions options)
    : disk_(disk), clock_(clock), rng_(rng), options_(options) {}

SegmentEngine::~SegmentEngine() = default;

base::Result<std::unique_ptr<SegmentEngine>> SegmentEngine::open(base::Disk& disk,
                                                                 const base::Clock& clock,
                                                                 base::Rng& rng,
                                                                 SegmentEngineOptions options) {
  std::unique_ptr<SegmentEngine> engine(new SegmentEngine(disk, clock, rng, options));
  TRY(engine->load());
  return engine;
}

base::Result<void> SegmentEngine::load() {
  TRY(make_folder(disk_, std::string(kChannels)));
  TRY(disk_.sync_folder(""));
  offsets_ = TRY(Offsets::open(disk_, clock_, std::string(kOffsets)));
  for (const std::string& name : TRY(disk_.list(std::string(kChannels)))) {
    const auto bytes = read_whole(disk_, folder_of_channel(name) + "/channel");
    if (!bytes && bytes.error().code == base::Code::not_found) {
      // Its making was not finished, or its removal.
      TRY(remove_tree(disk_, folder_of_channel(name)));
      continue;
    }
    if (!bytes) return bytes.error();
    auto channel = Channel::decode(name, *bytes);
    if (!channel) return base::prepend("channel " + name, channel.error());
    channels_.emplace(name, *std::move(channel));
  }
  return {};
}

base::Result<SegmentEngine::ChannelPointer> SegmentEngine::find(const std::string& channel) {
  const std::lock_guard lock(mutex_);
  const auto found = channels_.find(channel);
  if (found != channels_.end()) return found->second;
  return base::Error{base::Code::not_found, "there is no channel " + channel, "channel_unknown"};
}

base::Result<void> SegmentEngine::create_channel(const std::string& channel,
                                                 const ChannelOptions& options) {
  TRY(check_channel_name(channel));
  TRY(check_options(options));
  const std::lock_guard lock(mutex_);
  if (channels_.contains(channel))
    return base::Error{base::Code::already_exists, "there is a channel " + channel,
                       "channel_exists"};
  if (channels_.size() >= kChannelsMax)
    return base::Error{base::Code::failed_precondition, "there are 20000 channels",
                       "too_many_channels"};
  std::string secret(kSecretBytes, '\0');
  rng_.fill(std::span(reinterpret_cast<std::uint8_t*>(secret.data()), secret.size()));
  auto made = std::make_shared<Channel>(channel, std::move(secret), options);
  const std::string folder = folder_of_channel(channel);
  TRY(make_folder(disk_, folder));
  for (std::uint32_t i = 0; i < options.partitions; ++i)
    TRY(make_folder(disk_, folder_of_partition(channel, i)));
  TRY(disk_.sync_folder(std::string(kChannels)));
  TRY(write_whole(disk_, folder + "/channel", made->encode()));
  channels_.emplace(channel, std::move(made));
  return {};
}

base::Result<void> SegmentEngine::remove_channel(const std::string& channel) {
  {
    const std::lock_guard lock(mutex_);
    if (channels_.erase(channel) == 0)
      return base::Error{base::Code::not_found, "there is no channel " + channel,
                         "channel_unknown"};
    TRY(remove_tree(disk_, folder_of_channel(channel)));
  }
  offsets_->forget_channel(channel);
  return {};
}

base::Result<std::vector<std::string>> SegmentEngine::channels() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, channel] : channels_) names.push_back(name);
  return names;
}

base::Result<ChannelState> SegmentEngine::describe(const std::string& channel) {
  const ChannelPointer found = TRY(find(channel));
  ChannelState state{channel, found->options(), {}};
  for (std::uint32_t i = 0; i < found->options().partitions; ++i) {
    Partition* partition = TRY(found->partition(*this, i));
    state.partitions.push_back(partition->state());
  }
  return state;
}

base::Result<std::vector<Placed>> SegmentEngine::append(const std::string& channel,
                                                        std::span<const Chosen> events) {
  const ChannelPointer found = TRY(find(channel));
  std::map<std::uint32_t, std::vector<std::size_t>> by_partition;
  for (std::size_t i = 0; i < events.size(); ++i) {
    TRY(check_event(events[i].event));
    const std::uint32_t partition = events[i].partition.value_or(
        choose_partition(events[i].event, found->options().partitions));
    TRY(found->partition(*this, partition));
    by_partition[partition].push_back(i);
  }
  std::vector<Placed> placed(events.size());
  for (const auto& [number, indexes] : by_partition) {
    std::vector<const Event*> its;
    for (const std::size_t i : indexes) its.push_back(&events[i].event);
    Partition* partition = TRY(found->partition(*this, number));
    const std::vector<Placed> where = TRY(partition->append(std::move(its)));
    for (std::size_t i = 0; i < indexes.size(); ++i) placed[indexes[i]] = where[i];
  }
  if (on_append_ && !events.empty()) on_append_(channel);
  return placed;
}

base::Result<std::vector<StoredEvent>> SegmentEngine::read(const std::string& channel,
                                                           std::uint32_t partition, Offset offset,
                                                           const ReadLimits& limits) {
  const ChannelPointer found = TRY(find(channel));
  Partition* its = TRY(found->partition(*this, partition));
  return its->read(offset, limits);
}

base::Result<Offset> SegmentEngine::offset_at(const std::string& channel, std::uint32_t partition,
                                              base::WallTime time) {
  const ChannelPointer found = TRY(find(channel));
  Partition* its = TRY(found->partition(*this, partition));
  return its->offset_at(time);
}

base::Result<void> SegmentEngine::commit(const std::string& group,
                                         std::span<const GroupOffset> offsets) {
  for (const GroupOffset& one : offsets) {
    const ChannelPointer found = TRY(find(one.channel));
    TRY(found->partition(*this, one.partition));
  }
  return offsets_->commit(group, offsets);
}

base::Result<std::optional<Offset>> SegmentEngine::committed(const std::string& group,
                                                             const std::string& channel,
                                                             std::uint32_t partition) {
  const ChannelPointer found = TRY(find(channel));
  TRY(found->partition(*this, partition));
  return offsets_->find(group, channel, partition);
}

base::Result<std::vector<std::vector<Damage>>> SegmentEngine::damage(const std::string& channel) {
  const ChannelPointer found = TRY(find(channel));
  std::vector<std::vector<Damage>> all;
  for (std::uint32_t i = 0; i < found->options().partitions; ++i) {
    Partition* partition = TRY(found->partition(*this, i));
    all.push_back(partition->damage());
  }
  return all;
}

void SegmentEngine::tick() {
  std::vector<ChannelPointer> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, channel] : channels_) all.push_back(channel);
  }
  for (const ChannelPointer& channel : all) channel->tick();
  offsets_->tick();
}

}  // namespace services::event
