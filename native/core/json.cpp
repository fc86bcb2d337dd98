#include "core/json.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "core/check.h"

namespace vsgrpo {

class JsonParser {
 public:
  JsonParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Json document() {
    Json value = parse_value(0);
    skip_space();
    if (at_ != text_.size()) error("expected the end");
    return value;
  }

 private:
  static constexpr int kMaxDepth = 64;

  [[noreturn]] void error(const char* what) const { fail("BAD_JSON", "[", where_, "] not valid JSON at byte ", at_, ": ", what); }

  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }

  char peek() {
    skip_space();
    if (at_ >= text_.size()) error("unexpected end");
    return text_[at_];
  }

  void expect(char c) {
    if (peek() != c) error((std::string("expected '") + c + "'").c_str());
    ++at_;
  }

  bool accept(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json parse_value(int depth) {
    if (depth > kMaxDepth) error("nested too deeply");
    Json value;
    const char c = peek();
    if (c == '{') {
      parse_object(value, depth);
    } else if (c == '[') {
      parse_array(value, depth);
    } else if (c == '"') {
      value.kind_ = Json::Kind::string;
      value.string_ = parse_string();
    } else if (accept("true") || accept("false")) {
      value.kind_ = Json::Kind::boolean;
      value.boolean_ = c == 't';
    } else if (!accept("null")) {
      value.kind_ = Json::Kind::number;
      value.number_ = parse_number();
    }
    return value;
  }

  void parse_object(Json& value, int depth) {
    value.kind_ = Json::Kind::object;
    expect('{');
    if (peek() == '}') return void(++at_);
    while (true) {
      if (peek() != '"') error("expected a key");
      std::string key = parse_string();
      expect(':');
      if (!value.object_.emplace(key, parse_value(depth + 1)).second) error(("repeated key " + key).c_str());
      if (peek() == '}') return void(++at_);
      expect(',');
    }
  }

  void parse_array(Json& value, int depth) {
    value.kind_ = Json::Kind::array;
    expect('[');
    if (peek() == ']') return void(++at_);
    while (true) {
      value.array_.push_back(parse_value(depth + 1));
      if (peek() == ']') return void(++at_);
      expect(',');
    }
  }

  double parse_number() {
    double number = 0;
    const auto [end, code] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (code != std::errc() || !std::isfinite(number)) error("expected a value");
    at_ = static_cast<size_t>(end - text_.data());
    return number;
  }

  std::string parse_string() {
    expect('"');
    std::string out;
    while (true) {
      if (at_ >= text_.size()) error("unterminated string");
      const char c = text_[at_++];
      if (c == '"') return out;
      if (static_cast<unsigned char>(c) < 0x20) error("control character in a string");
      if (c == '\\') {
        parse_escape(out);
      } else {
        out.push_back(c);
      }
    }
  }

  void parse_escape(std::string& out) {
    if (at_ >= text_.size()) error("unterminated escape");
    const char c = text_[at_++];
    switch (c) {
      case 'n': out.push_back('\n'); break;
      case 't': out.push_back('\t'); break;
      case 'r': out.push_back('\r'); break;
      case 'b': out.push_back('\b'); break;
      case 'f': out.push_back('\f'); break;
      case '"': case '\\': case '/': out.push_back(c); break;
      case 'u': append_utf8(out, parse_code_point()); break;
      default: error("unknown escape");
    }
  }

  uint32_t parse_hex4() {
    uint32_t unit = 0;
    if (at_ + 4 > text_.size()) error("short \\u escape");
    const auto [end, code] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, unit, 16);
    if (code != std::errc() || end != text_.data() + at_ + 4) error("bad \\u escape");
    at_ += 4;
    return unit;
  }

  uint32_t parse_code_point() {
    const uint32_t high = parse_hex4();
    if (high < 0xD800 || high > 0xDBFF || !accept("\\u")) return high;
    const uint32_t low = parse_hex4();
    if (low < 0xDC00 || low > 0xDFFF) error("bad surrogate pair");
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }

  static void append_utf8(std::string& out, uint32_t c) {
    if (c < 0x80) {
      out.push_back(static_cast<char>(c));
    } else if (c < 0x800) {
      out.push_back(static_cast<char>(0xC0 | (c >> 6)));
      out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
      out.push_back(static_cast<char>(0xE0 | (c >> 12)));
      out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    } else {
      out.push_back(static_cast<char>(0xF0 | (c >> 18)));
      out.push_back(static_cast<char>(0x80 | ((c >> 12) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
    }
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
};

Json Json::parse(std::string_view text, const std::string& where) { return JsonParser(text, where).document(); }

Json Json::read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  VS_CHECK(file.good(), "BAD_CHECKPOINT", "[", path, "] cannot be read: no such file");
  std::ostringstream text;
  text << file.rdbuf();
  return parse(text.str(), path);
}

const Json* Json::find(const std::string& key) const {
  const auto it = object_.find(key);
  return it == object_.end() || it->second.kind_ == Kind::null ? nullptr : &it->second;
}

bool Json::as_bool(const std::string& what) const {
  VS_CHECK(kind_ == Kind::boolean, "BAD_JSON", "[", what, "] expected true or false");
  return boolean_;
}

double Json::as_number(const std::string& what) const {
  VS_CHECK(kind_ == Kind::number, "BAD_JSON", "[", what, "] expected a number");
  return number_;
}

int64_t Json::as_integer(const std::string& what) const {
  const double number = as_number(what);
  VS_CHECK(number == std::floor(number) && std::abs(number) < 9e15, "BAD_JSON", "[", what, "] expected an integer, got ", number);
  return static_cast<int64_t>(number);
}

const std::string& Json::as_string(const std::string& what) const {
  VS_CHECK(kind_ == Kind::string, "BAD_JSON", "[", what, "] expected a string");
  return string_;
}

const std::vector<Json>& Json::as_array(const std::string& what) const {
  VS_CHECK(kind_ == Kind::array, "BAD_JSON", "[", what, "] expected an array");
  return array_;
}

const std::map<std::string, Json>& Json::as_object(const std::string& what) const {
  VS_CHECK(kind_ == Kind::object, "BAD_JSON", "[", what, "] expected an object");
  return object_;
}

std::string json_quote(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

}  // namespace vsgrpo
