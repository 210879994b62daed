package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// row is the cells of one object, in the order of the columns.
type row []any

// printRows writes a listing in the format asked for.
func (c *ctl) printRows(columns []string, rows []row) error {
	switch c.formatter {
	case "table":
		c.printTable(columns, rows)
	case "csv":
		c.printCSV(columns, rows)
	case "pretty_table":
		c.printPretty(columns, rows)
	case "json":
		return printJSON(c.out, columns, rows)
	default:
		return fmt.Errorf("--formatter %s is none of table, json, csv, pretty_table", c.formatter)
	}
	return nil
}

func (c *ctl) headers() bool { return !c.noHeaders && !c.silent }

// printTable separates by tabs. Without rows there is no header either, as with
// rabbitmqctl.
func (c *ctl) printTable(columns []string, rows []row) {
	if len(rows) > 0 && c.headers() {
		fmt.Fprintln(c.out, strings.Join(columns, "\t"))
	}
	for _, r := range rows {
		fmt.Fprintln(c.out, strings.Join(texts(r), "\t"))
	}
}

func (c *ctl) printCSV(columns []string, rows []row) {
	line := func(cells []string) {
		for i, s := range cells {
			cells[i] = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		fmt.Fprintln(c.out, strings.Join(cells, ","))
	}
	if len(rows) > 0 && c.headers() {
		line(slices.Clone(columns))
	}
	for _, r := range rows {
		line(texts(r))
	}
}

func (c *ctl) printPretty(columns []string, rows []row) {
	lines := [][]string{}
	if c.headers() {
		lines = append(lines, columns)
	}
	for _, r := range rows {
		lines = append(lines, texts(r))
	}
	widths := make([]int, len(columns))
	for _, l := range lines {
		for i, s := range l {
			widths[i] = max(widths[i], utf8.RuneCountInString(s))
		}
	}
	rule := func(left, middle, right string) {
		var parts []string
		for _, w := range widths {
			parts = append(parts, strings.Repeat("─", w+2))
		}
		fmt.Fprintln(c.out, left+strings.Join(parts, middle)+right)
	}
	for i, l := range lines {
		if i == 0 {
			rule("┌", "┬", "┐")
		} else {
			rule("├", "┼", "┤")
		}
		for j, s := range l {
			fmt.Fprintf(c.out, "│ %s%s ", s, strings.Repeat(" ", widths[j]-utf8.RuneCountInString(s)))
		}
		fmt.Fprintln(c.out, "│")
	}
	rule("└", "┴", "┘")
}

// printJSON writes one object per line, as rabbitmqctl does, with the keys in the
// order of the columns.
func printJSON(out io.Writer, columns []string, rows []row) error {
	fmt.Fprintln(out, "[")
	for i, r := range rows {
		var fields []string
		for j, v := range r {
			text, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("encode %s: %w", columns[j], err)
			}
			fields = append(fields, fmt.Sprintf("%q:%s", columns[j], text))
		}
		comma := ","
		if i == 0 {
			comma = ""
		}
		fmt.Fprintln(out, comma+"{"+strings.Join(fields, ",")+"}")
	}
	fmt.Fprintln(out, "]")
	return nil
}

func texts(r row) []string {
	cells := make([]string, len(r))
	for i, v := range r {
		cells[i] = cell(v)
	}
	return cells
}

// cell writes a value as rabbitmqctl does: lists and objects as Erlang terms.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = cell(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		return erlangTerm(v)
	}
	return fmt.Sprint(v)
}

// erlangTerm writes a value within a term: texts are quoted there.
func erlangTerm(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = erlangTerm(x)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, fmt.Sprintf("{%q,%s}", k, erlangTerm(v[k])))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case nil:
		return "undefined"
	}
	return fmt.Sprint(v)
}
