// SPDX-License-Identifier: Apache-2.0
#include "common/sys/bus_message.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace sys::bus {

namespace {

using base::Code;

base::Error refused(std::string detail) {
  return {Code::invalid_argument, std::move(detail), "unit_invalid"};
}

base::Error malformed() {
  return {Code::internal, "the service manager's answer is malformed", "bus_call_failed"};
}

base::Result<void> checked(int result) {
  if (result < 0) return failure_of(result);
  return {};
}

// Writes one value as a variant; one overload for each alternative of UnitProperty::value.
struct ValueWriter {
  sd_bus_message* message;

  base::Result<void> operator()(bool value) const {
    return checked(sd_bus_message_append(message, "v", "b", static_cast<int>(value)));
  }
  base::Result<void> operator()(std::uint64_t value) const {
    return checked(sd_bus_message_append(message, "v", "t", value));
  }
  base::Result<void> operator()(std::uint32_t value) const {
    return checked(sd_bus_message_append(message, "v", "u", value));
  }
  base::Result<void> operator()(std::int32_t value) const {
    return checked(sd_bus_message_append(message, "v", "i", value));
  }
  base::Result<void> operator()(const std::string& value) const {
    TRY(checked(sd_bus_message_open_container(message, 'v', "s")));
    TRY(append_text(message, value));
    return checked(sd_bus_message_close_container(message));
  }
  base::Result<void> operator()(const std::vector<std::string>& values) const {
    TRY(checked(sd_bus_message_open_container(message, 'v', "as")));
    TRY(append_texts(message, values));
    return checked(sd_bus_message_close_container(message));
  }
  // Programs: path, arguments with the path first, and whether a failure is ignored.
  base::Result<void> operator()(const std::vector<std::vector<std::string>>& programs) const {
    TRY(checked(sd_bus_message_open_container(message, 'v', "a(sasb)")));
    TRY(checked(sd_bus_message_open_container(message, 'a', "(sasb)")));
    for (const std::vector<std::string>& argv : programs) {
      if (argv.empty()) return refused("a program has no arguments, not even its path");
      TRY(checked(sd_bus_message_open_container(message, 'r', "sasb")));
      TRY(append_text(message, argv[0]));
      TRY(append_texts(message, argv));
      TRY(checked(sd_bus_message_append(message, "b", 0)));
      TRY(checked(sd_bus_message_close_container(message)));
    }
    TRY(checked(sd_bus_message_close_container(message)));
    return checked(sd_bus_message_close_container(message));
  }
};

base::Result<void> read_property(sd_bus_message* message, ServiceState& state) {
  const char* name = nullptr;
  const char* contents = nullptr;
  char type = 0;
  TRY(checked(sd_bus_message_read_basic(message, 's', &name)));
  TRY(checked(sd_bus_message_peek_type(message, &type, &contents)));
  struct TextField {
    std::string_view name;
    std::string* out;
  };
  const TextField texts[] = {
      {"Id", &state.unit.name},
      {"LoadState", &state.unit.load_state},
      {"ActiveState", &state.unit.active_state},
      {"SubState", &state.unit.sub_state},
      {"Result", &state.result},
      {"ControlGroup", &state.control_group},
  };
  for (const TextField& field : texts) {
    if (field.name != name || std::strcmp(contents, "s") != 0) continue;
    const char* text = nullptr;
    TRY(checked(sd_bus_message_read(message, "v", "s", &text)));
    *field.out = text;
    return {};
  }
  const std::string_view key = name;
  if (key == "MainPID") return checked(sd_bus_message_read(message, "v", "u", &state.main_pid));
  if (key == "ExecMainStatus") {
    return checked(sd_bus_message_read(message, "v", "i", &state.exec_main_status));
  }
  if (key == "ExecMainCode") {
    return checked(sd_bus_message_read(message, "v", "i", &state.exec_main_code));
  }
  return checked(sd_bus_message_skip(message, "v"));
}

}  // namespace

base::Result<void> append_text(sd_bus_message* message, const std::string& text) {
  if (text.find('\0') != text.npos) return refused("a text holds a NUL byte");
  const int appended = sd_bus_message_append_basic(message, 's', text.c_str());
  if (appended == -EINVAL) return refused("'" + text + "' is not UTF-8");
  return checked(appended);
}

base::Result<void> append_texts(sd_bus_message* message, const std::vector<std::string>& texts) {
  TRY(checked(sd_bus_message_open_container(message, 'a', "s")));
  for (const std::string& text : texts) TRY(append_text(message, text));
  return checked(sd_bus_message_close_container(message));
}

base::Result<void> append_properties(sd_bus_message* message,
                                     const std::vector<UnitProperty>& properties) {
  TRY(checked(sd_bus_message_open_container(message, 'a', "(sv)")));
  for (const UnitProperty& property : properties) {
    TRY(checked(sd_bus_message_open_container(message, 'r', "sv")));
    TRY(append_text(message, property.name));
    base::Result<void> written = std::visit(ValueWriter{message}, property.value);
    if (!written) return base::prepend(property.name, std::move(written).error());
    TRY(checked(sd_bus_message_close_container(message)));
  }
  return checked(sd_bus_message_close_container(message));
}

base::Result<ServiceState> read_service(sd_bus_message* message) {
  ServiceState state;
  if (sd_bus_message_enter_container(message, 'a', "{sv}") < 0) return malformed();
  while (true) {
    const int entered = sd_bus_message_enter_container(message, 'e', "sv");
    if (entered == 0) break;
    if (entered < 0 || !read_property(message, state) ||
        sd_bus_message_exit_container(message) < 0) {
      return malformed();
    }
  }
  if (state.unit.load_state == "not-found") {
    return base::Error{Code::not_found, "there is no unit " + state.unit.name, "unit_unknown"};
  }
  return state;
}

base::Result<std::vector<UnitStatus>> read_units(sd_bus_message* message) {
  std::vector<UnitStatus> units;
  if (sd_bus_message_enter_container(message, 'a', "(ssssssouso)") < 0) return malformed();
  while (true) {
    const char* name = nullptr;
    const char* load = nullptr;
    const char* active = nullptr;
    const char* sub = nullptr;
    const int got = sd_bus_message_read(message, "(ssssssouso)", &name, nullptr, &load, &active,
                                        &sub, nullptr, nullptr, nullptr, nullptr, nullptr);
    if (got < 0) return malformed();
    if (got == 0) return units;
    units.push_back({name, load, active, sub});
  }
}

base::Error error_of(const sd_bus_error& error) {
  struct Meaning {
    std::string_view name;
    Code code;
    std::string_view reason;
  };
  static constexpr Meaning kMeanings[] = {
      {"org.freedesktop.systemd1.NoSuchUnit", Code::not_found, "unit_unknown"},
      {"org.freedesktop.DBus.Error.UnknownObject", Code::not_found, "unit_unknown"},
      {"org.freedesktop.systemd1.UnitExists", Code::already_exists, "unit_exists"},
      {"org.freedesktop.systemd1.UnitMasked", Code::failed_precondition, "unit_unusable"},
      {"org.freedesktop.systemd1.LoadFailed", Code::failed_precondition, "unit_unusable"},
      {"org.freedesktop.systemd1.BadUnitSetting", Code::failed_precondition, "unit_unusable"},
      {"org.freedesktop.systemd1.JobTypeNotApplicable", Code::failed_precondition, "unit_unusable"},
      {"org.freedesktop.DBus.Error.InvalidArgs", Code::invalid_argument, "unit_invalid"},
      {"org.freedesktop.DBus.Error.PropertyReadOnly", Code::invalid_argument, "unit_invalid"},
      {"org.freedesktop.DBus.Error.InvalidSignature", Code::invalid_argument, "unit_invalid"},
      {"org.freedesktop.DBus.Error.AccessDenied", Code::permission_denied, "bus_not_permitted"},
      {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", Code::permission_denied,
       "bus_not_permitted"},
      {"org.freedesktop.DBus.Error.NoReply", Code::unavailable, "bus_no_reply"},
      {"org.freedesktop.DBus.Error.Timeout", Code::unavailable, "bus_no_reply"},
      {"org.freedesktop.DBus.Error.ServiceUnknown", Code::unavailable, "bus_unreachable"},
      {"org.freedesktop.DBus.Error.NameHasNoOwner", Code::unavailable, "bus_unreachable"},
      {"org.freedesktop.DBus.Error.Disconnected", Code::unavailable, "bus_unreachable"},
  };
  const std::string detail =
      std::string(error.message != nullptr ? error.message : "no text") + " (" + error.name + ")";
  for (const Meaning& meaning : kMeanings) {
    if (meaning.name == error.name) return {meaning.code, detail, meaning.reason};
  }
  return {Code::internal, detail, "bus_call_failed"};
}

base::Error failure_of(int result) {
  const base::Error error = base::os_error(-result, "call the service manager");
  switch (-result) {
    case ENOTCONN:
    case ECONNRESET:
    case ECONNREFUSED:
    case ENOENT:
    case EPIPE: return {Code::unavailable, error.detail, "bus_unreachable", -result};
    case EINVAL: return {Code::invalid_argument, error.detail, "unit_invalid", -result};
    default: return {Code::internal, error.detail, "bus_call_failed", -result};
  }
}

}  // namespace sys::bus
