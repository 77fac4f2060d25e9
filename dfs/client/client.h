// SPDX-License-Identifier: Apache-2.0
// The file-system client: POSIX operations on one volume, answered from memory where leases allow.
//
// Used by dfs/fuse; calls everything else in dfs/client.
// 1. Each operation is a step over the cache that either ends or names what it lacks; what it lacks
// is fetched and the step runs again. It changes nothing before it has everything, so operations
// are atomic and happen in the order in which they end.
// 2. A change is in the cache and in the change log when it is answered (Durability::posix), or
// durable (Durability::strict).
// 3. An operation waits as long as servers are away; it fails when the volume was taken over
// (ESTALE).
// 4. Callbacks may come before the call returns.
// Threads: the loop's.
#pragma once

#include <unordered_set>

#include "dfs/client/change_log.h"
#include "dfs/client/file_data.h"
#include "dfs/client/held_locks.h"
#include "dfs/client/kernel.h"
#include "dfs/client/session.h"

namespace dfs::client {

struct Options {
  std::vector<base::Endpoint> servers;
  std::string volume;
  std::string host;
  VolumeEpoch epoch = 0;
  Takeover takeover = Takeover::none;
  bool read_only = false;
  std::size_t inodes_max = 50'000;
  std::size_t names_max = 200'000;
  std::size_t content_max = std::size_t{32} << 20;  // of small files, about
  ChangeLog::Limits log = {};
  FileData::Limits data = {};
  std::function<TimeNs()> wall;  // the clock for the times of files
};

// Who asks, for new files.
struct Subject {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t umask = 0;
};

struct Found {
  Attributes attributes;   // inode 0: there is no such name
  bool keep_name = false;  // the kernel may answer this from its own memory until told otherwise
  bool keep_attributes = false;
};
struct Listed {
  std::string name;
  InodeNumber inode = 0;
  FileKind kind = FileKind::file;
};
struct Opened {
  Attributes attributes;
  bool keep_pages = false;  // what the kernel has of the content is still right
};
struct Change {
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<TimeNs> accessed;
  std::optional<TimeNs> modified;
  bool accessed_now = false;
  bool modified_now = false;
};
struct NewInode {
  std::string name;
  FileKind kind = FileKind::file;
  std::uint32_t mode = 0;
  std::uint64_t device = 0;
  std::string target;
};
enum class Sync : std::uint8_t { data, all };

// What an operation lacks.
struct Need {
  enum class What : std::uint8_t {
    inode,
    name,
    listing,
    numbers,
    log_room,
    data_room,
    session,
    other
  };
  What what = What::session;
  InodeNumber inode = 0;
  Lease lease = Lease::none;
  Lease child = Lease::none;  // wanted for the inode behind the name
  std::string name = {};
  std::function<void(Done<Nothing>)> begin = {};  // of `other`
};
template <class T>
using Attempt = std::variant<Need, base::Result<T>>;

inline constexpr std::uint32_t kNumbersLow =
    256;  // inode numbers that are left when more are asked for

class Client {
 public:
  Client(base::Net& net, base::Timers& timers, base::Rng& rng, Kernel& kernel, Options options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void start(Done<Nothing> done);
  // Flushes everything and ends the session.
  void stop(Done<Nothing> done);
  InodeNumber root() const { return session_.terms().root; }
  bool is_read_only() const { return options_.read_only || session_.terms().read_only; }
  SessionState state() const { return session_.state(); }
  VolumeEpoch epoch() const { return session_.terms().epoch; }

  // Names (client_names.cc). Each Found that has an inode counts as one lookup of the kernel.
  void lookup(InodeNumber folder, std::string name, Done<Found> done);
  void forget(InodeNumber inode, std::uint64_t lookups);
  void create(InodeNumber folder, NewInode made, Subject subject, Done<Found> done);
  void create_open(InodeNumber folder, NewInode made, Subject subject, Done<Found> done);
  void remove(InodeNumber folder, std::string name, bool is_folder, Done<Nothing> done);
  void rename(InodeNumber from, std::string name, InodeNumber to, std::string new_name,
              std::uint32_t flags, Done<Nothing> done);
  void link(InodeNumber inode, InodeNumber folder, std::string name, Done<Found> done);
  void read_link(InodeNumber inode, Done<std::string> done);
  void list(InodeNumber folder, Done<std::vector<Listed>> done);
  // Attributes of what was listed, when they are here; counts as a lookup then.
  std::optional<Found> look(InodeNumber folder, const Listed& listed);

  // Inodes (client_inodes.cc).
  void get(InodeNumber inode, Done<Found> done);
  void change(InodeNumber inode, Change change, Done<Found> done);
  void get_xattr(InodeNumber inode, std::string name, Done<std::string> done);
  void list_xattrs(InodeNumber inode, Done<std::vector<std::string>> done);
  void set_xattr(InodeNumber inode, std::string name, std::string value, int flags,
                 Done<Nothing> done);
  void remove_xattr(InodeNumber inode, std::string name, Done<Nothing> done);

  // Content (client_files.cc).
  enum class Access : std::uint8_t { read, write };
  void open(InodeNumber inode, Access access, bool truncate, Done<Opened> done);
  void release(InodeNumber inode);
  void read(InodeNumber inode, std::uint64_t offset, std::uint64_t size,
            Done<std::string_view> done);
  // Takes a copy of `data` unless it can be written at once.
  void write(InodeNumber inode, std::uint64_t offset, std::string_view data, bool append,
             Done<Nothing> done);
  void allocate(InodeNumber inode, int mode, ByteRange range, Done<Nothing> done);
  void seek(InodeNumber inode, std::uint64_t offset, SeekFor what, Done<std::uint64_t> done);
  void fsync(InodeNumber inode, Sync what, Done<Nothing> done);
  // At close: errors of what was answered before it was done.
  int take_error(InodeNumber inode);
  bool has_changes(InodeNumber inode);
  void sync(Done<Nothing> done);
  void usage(Done<VolumeUsageReply> done);

  // Locks (client_locks.cc). A lock that waits is named by `ticket`.
  void set_lock(LockRange lock, bool wait, std::uint64_t ticket, Done<Nothing> done);
  void cancel_lock(std::uint64_t ticket);
  void test_lock(LockRange lock, Done<std::optional<LockRange>> done);

  struct Counts {
    std::size_t inodes = 0, names = 0;
    std::uint64_t unwritten_bytes = 0, fetches = 0, recalls = 0;
  };
  Counts counts() const;

 private:
  template <class T>
  struct Waiting;
  // Runs `step` until it ends; see invariant 1.
  template <class T, class Step>
  void run(Done<T> done, Step step);
  template <class T>
  void attempt(const std::shared_ptr<Waiting<T>>& waiting);
  // As run(), for changes: durable before the answer when the volume is strict.
  template <class T, class Step>
  void run_change(Done<T> done, Step step);
  template <class T>
  void retry(const std::shared_ptr<Waiting<T>>& waiting, Need need);
  std::optional<Need> stop_reason() const;
  base::Error end_reason() const;

  // What a step asks for. nullopt: `found` is set.
  enum class Rest : std::uint8_t { ignore, include };
  std::optional<Need> want_inode(InodeNumber number, Lease lease, Inode*& found,
                                 Rest rest = Rest::ignore);
  std::optional<Need> want_name(Inode& folder, const std::string& name, Lease child,
                                InodeNumber& found);
  std::optional<Need> want_log_room();
  // For content of the size `end`: where an object could live.
  std::optional<Need> want_place(const Inode& inode, std::uint64_t end);

  // How it is got (client_fetch.cc).
  void satisfy(const Need& need, Done<Nothing> done);
  void fetch_inode(InodeNumber number, Lease want, Done<Nothing> done);
  void fetch_name(InodeNumber folder, const std::string& name, Lease want_folder, Lease want_inode,
                  Done<Nothing> done);
  void fetch_listing(InodeNumber folder, std::string after, Lease want, Done<Nothing> done);
  void fetch_numbers(Done<Nothing> done);
  std::optional<InodeNumber> take_number();
  Lease granted(InodeNumber inode, Lease lease, std::uint64_t since) const;
  void begin_fetch();
  void end_fetch();
  void after_answer(const base::Error* error, const Done<Nothing>& done);

  // Leases (client_leases.cc).
  void on_recall(const Recall& recall);
  void note_release(InodeNumber number, Inode* inode, Lease keeps);
  void give_back(Inode& inode, Lease keep);
  void recall_step(InodeNumber number);
  void forget_in_kernel(Inode& inode);
  void finish_recall(Inode& inode);
  void send_releases();
  void trim();
  void on_session(SessionState state);
  void forget_all_in_kernel();
  void lose_everything();
  void reopen();
  std::vector<LeaseClaim> claims();

  // Locks (client_locks.cc).
  bool decides_locks(InodeNumber number);
  std::optional<Need> want_told(InodeNumber number);
  void ask_lock(const SetLock& request, Done<Nothing> done);
  void send_lock(const SetLock& request, Done<SetLockReply> done);
  void tell_locks(InodeNumber number, Done<Nothing> done);
  void end_telling(InodeNumber number, std::uint64_t life);
  std::vector<Done<Nothing>> lose_locks();

  Found found_of(Inode& inode, Dentry* dentry);
  bool may_keep(const Inode& inode) const;
  TimeNs now() const { return options_.wall(); }
  Inode& make_inode(InodeNumber number, Inode& folder, const NewInode& made, const Subject& subject,
                    std::vector<Xattr> xattrs, TimeNs time);
  void set_dentry(Inode& folder, const std::string& name, InodeNumber inode);
  void lose_link(Inode& inode, TimeNs time);
  void touch_folder(Inode& folder, TimeNs time, int links);
  Attempt<Found> create_step(InodeNumber folder, const NewInode& made, const Subject& subject,
                             bool open);
  Attempt<Nothing> rename_step(InodeNumber from, const std::string& name, InodeNumber to,
                               const std::string& new_name, std::uint32_t flags);
  Attempt<Found> change_step(InodeNumber number, const Change& change);
  std::optional<Need> want_cut(Inode& inode, std::uint64_t size);
  void resize(Inode& inode, std::uint64_t size, TimeNs time);
  // For content of the size `end`: an object that no snapshot has (client_copy.cc).
  struct Copying;
  using CopyingHandle = std::shared_ptr<Copying>;  // of copies_ and of the calls under way
  std::optional<Need> want_own(Inode& inode, std::uint64_t end);
  void take_copy(Inode& inode);
  void take_object(InodeNumber number, GroupNumber group, Done<ObjectNumber> done);
  void number_object(InodeNumber number, Done<Nothing> done);
  void copy_object(InodeNumber number, Done<Nothing> done);
  void copy_next(const CopyingHandle& copying);
  void copy_piece(const CopyingHandle& copying, std::string_view content, std::uint64_t size);
  void skip_hole(const CopyingHandle& copying);
  void end_copy(const CopyingHandle& copying, const base::Result<Nothing>& result);
  void drop_if_unused(Inode& inode);
  bool can_sync_apart(Inode& inode) const;
  bool is_unborn(const Inode& inode) const;
  bool is_data_enough(Inode& inode) const;

  base::Timers& timers_;
  base::Rng& rng_;
  Kernel& kernel_;
  Options options_;
  MetaLink link_;
  Session session_;
  StorageLink storage_;
  FileData data_;
  ChangeLog log_;
  InodeCache cache_;
  OpenSession open_request_;

  InodeNumber next_number_ = 0;
  std::uint32_t numbers_left_ = 0;
  bool is_asking_numbers_ = false;
  InodeNumbersReply spare_numbers_;
  std::vector<Done<Nothing>> number_waiters_, log_waiters_, data_waiters_, session_waiters_;

  std::size_t fetches_ = 0;
  std::uint64_t fetch_count_ = 0, recall_count_ = 0;
  std::uint64_t release_serial_ = 0;
  std::unordered_map<InodeNumber, std::uint64_t> released_;  // while answers are under way
  std::vector<ReleasedLease> to_release_;
  std::unordered_map<InodeNumber, HeldLocks> locks_;
  std::uint64_t next_life_ = 1;
  std::unordered_map<InodeNumber, CopyingHandle> copies_;
  std::uint64_t attempts_ = 0;  // numbers of objects that were asked for
  bool is_trimming_ = false;
  std::uint64_t trims_ = 0;
  base::TimerHandle release_timer_, reopen_timer_, trim_timer_;
  std::unordered_map<std::uint64_t, base::TimerHandle> backoffs_;
  std::uint64_t next_backoff_ = 1;
  bool is_stopping_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::client
