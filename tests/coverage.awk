# Reads reports in lcov's form, one for each test program, and prints one table; see coverage.sh.

# A file: what is a unit test in it begins with `mod tests`.
/^SF:/ {
  path = substr($0, 4)
  file = path
  sub(/^.*\/src\//, "", file)
  if (!(file in tests_from)) {
    tests_from[file] = 1000000
    for (n = 1; (getline line < path) > 0; n++) {
      source[file, n] = line
      if (line == "mod tests {") tests_from[file] = n
    }
    close(path)
  }
}
# A line: its number and how often it ran.
/^DA:/ {
  split(substr($0, 4), field, ",")
  if (field[1] + 0 < tests_from[file]) lines[file, field[1]] += field[2]
}
# A branch: the line, a block in it, the branch of the block, and how often it was taken, or `-`.
/^BRDA:/ {
  split(substr($0, 6), field, ",")
  if (field[1] + 0 < tests_from[file]) branches[file, field[1], field[2], field[3]] += field[4]
}

function is_core(file) { return file !~ /^(adapter|blocking|dial|test_kit|tokio)/ }
function percent(hit, all) { return all ? 100 * hit / all : 100 }
function row(name, key) {
  printf form, name,
    all_lines[key], all_lines[key] - hit_lines[key], percent(hit_lines[key], all_lines[key]),
    all_branches[key], all_branches[key] - hit_branches[key],
    percent(hit_branches[key], all_branches[key]) | "sort"
}
function miss(file, line, what) {
  if (missed && is_core(file))
    printf "%s:%d: %s:%s\n", file, line, what, source[file, line] | by_line
}

BEGIN {
  by_line = "sort -t: -k1,1 -k2,2n"
  form = "%-32s %6d %6d %7.2f %9d %6d %7.2f\n"
}
END {
  for (key in lines) {
    split(key, part, SUBSEP)
    group = is_core(part[1]) ? "core" : "adapters"
    all_lines[part[1]]++; all_lines[group]++
    if (lines[key]) { hit_lines[part[1]]++; hit_lines[group]++ } else miss(part[1], part[2], "line")
  }
  for (key in branches) {
    split(key, part, SUBSEP)
    group = is_core(part[1]) ? "core" : "adapters"
    all_branches[part[1]]++; all_branches[group]++
    if (branches[key]) { hit_branches[part[1]]++; hit_branches[group]++ }
    else miss(part[1], part[2], "branch " part[3] "." part[4])
  }
  close(by_line)
  printf "\n%-32s %6s %6s %7s %9s %6s %7s\n", "", "lines", "missed", "%", "branches", "missed", "%"
  for (core = 1; core >= 0; core--) {
    for (file in tests_from) if (is_core(file) == core) row(file, file)
    close("sort")
    row(core ? "the core" : "the adapters", core ? "core" : "adapters")
    close("sort")
    print ""
  }
  if (percent(hit_lines["core"], all_lines["core"]) < floor_lines ||
      percent(hit_branches["core"], all_branches["core"]) < floor_branches) {
    printf "below the floor of %s %% of lines or %s %% of branches\n", floor_lines, floor_branches
    exit 1
  }
}
