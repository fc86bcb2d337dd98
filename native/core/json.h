// A small strict JSON reader: enough for config.json and safetensors headers.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vsgrpo {

class Json {
 public:
  enum class Kind { null, boolean, number, string, array, object };

  // `where` names the source in errors. Throws Error("BAD_JSON"); a repeated key is an error.
  static Json parse(std::string_view text, const std::string& where);
  static Json read_file(const std::string& path);

  Kind kind() const { return kind_; }
  bool is_object() const { return kind_ == Kind::object; }
  bool as_bool(const std::string& what) const;
  double as_number(const std::string& what) const;
  int64_t as_integer(const std::string& what) const;
  const std::string& as_string(const std::string& what) const;
  const std::vector<Json>& as_array(const std::string& what) const;
  const std::map<std::string, Json>& as_object(const std::string& what) const;

  // nullptr when absent, JSON null, or when this is not an object.
  const Json* find(const std::string& key) const;

 private:
  friend class JsonParser;
  Kind kind_ = Kind::null;
  bool boolean_ = false;
  double number_ = 0;
  std::string string_;
  std::vector<Json> array_;
  std::map<std::string, Json> object_;
};

std::string json_quote(const std::string& text);

}  // namespace vsgrpo
