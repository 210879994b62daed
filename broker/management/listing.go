package management

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What the query of a GET asks of a list: sort, sort_reverse, page, page_size,
// name, use_regex, and of any answer: columns.

// maxPageSize is RabbitMQ's.
const maxPageSize = 500

// list sorts and pages a list; the items sort by name, in the order that they are
// given, unless the query says otherwise.
func list(c *call, items []object) (any, error) {
	q := c.URL.Query()
	items, total, err := filter(items, q)
	if err != nil {
		return nil, err
	}
	if key := q.Get("sort"); key != "" {
		slices.SortStableFunc(items, func(a, b object) int { return compare(at(a, key), at(b, key)) })
	}
	if q.Get("sort_reverse") == "true" {
		slices.Reverse(items)
	}
	if items == nil {
		items = []object{}
	}
	if q.Get("page") == "" {
		return items, nil
	}
	return page(items, total, q)
}

// filter keeps the items whose name contains, or matches, what is asked for.
func filter(items []object, q url.Values) (kept []object, total int, err error) {
	name := q.Get("name")
	if name == "" || q.Get("page") == "" {
		return items, len(items), nil
	}
	matches := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(name)) }
	if q.Get("use_regex") == "true" {
		re, err := regexp.Compile("(?i)" + name)
		if err != nil {
			return nil, 0, badRequest("Unable to parse regular expression")
		}
		matches = re.MatchString
	}
	for _, o := range items {
		if s, _ := o["name"].(string); matches(s) {
			kept = append(kept, o)
		}
	}
	return kept, len(items), nil
}

func page(items []object, total int, q url.Values) (any, error) {
	n, err := strconv.Atoi(q.Get("page"))
	size := 100
	if text := q.Get("page_size"); text != "" && err == nil {
		size, err = strconv.Atoi(text)
	}
	if err != nil || n < 1 || size < 1 || size > maxPageSize {
		return nil, badRequest("Pagination parameters are invalid")
	}
	pages := max(1, (len(items)+size-1)/size)
	if n > pages {
		return nil, &failure{http.StatusBadRequest, "page_out_of_range", "Page out of range, page: " + strconv.Itoa(n) +
			" page size: " + strconv.Itoa(size) + ", len: " + strconv.Itoa(len(items))}
	}
	part := items[(n-1)*size : min(n*size, len(items))]
	return object{
		"items": part, "page": n, "page_size": size, "page_count": pages,
		"item_count": len(part), "filtered_count": len(items), "total_count": total,
	}, nil
}

// at follows a path with dots into an object.
func at(o object, path string) any {
	key, rest, deeper := strings.Cut(path, ".")
	v := o[key]
	if inner, ok := v.(object); ok && deeper {
		return at(inner, rest)
	}
	return v
}

// compare orders values of any kind: numbers before texts, what is missing first.
func compare(a, b any) int {
	x, isNumber := asFloat(a)
	y, other := asFloat(b)
	switch {
	case isNumber && other:
		return cmp.Compare(x, y)
	case a == nil || b == nil:
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	s, _ := json.Marshal(a) // values that are to be marshalled anyway
	t, _ := json.Marshal(b)
	return cmp.Compare(strings.ToLower(string(s)), strings.ToLower(string(t)))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case uint16:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// project keeps the columns that the query names, of an object, of each of a
// list, and of each of a page.
func project(v any, q url.Values) any {
	names := q.Get("columns")
	if names == "" {
		return v
	}
	columns := strings.Split(names, ",")
	switch v := v.(type) {
	case []object:
		kept := make([]object, len(v))
		for i, o := range v {
			kept[i] = pick(o, columns)
		}
		return kept
	case object:
		if items, ok := v["items"].([]object); ok {
			v["items"] = project(items, q)
			return v
		}
		return pick(v, columns)
	}
	return v
}

func pick(o object, columns []string) object {
	kept := object{}
	for _, c := range columns {
		key, rest, deeper := strings.Cut(c, ".")
		v, ok := o[key]
		if !ok {
			continue
		}
		if inner, isObject := v.(object); isObject && deeper && key != "arguments" {
			part, _ := kept[key].(object)
			if part == nil {
				part = object{}
			}
			for k, x := range pick(inner, []string{rest}) {
				part[k] = x
			}
			v = part
		}
		kept[key] = v
	}
	return kept
}
