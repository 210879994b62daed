package templates

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"

	"thump/internal/control"
)

// Host is what files are matched to.
type Host struct {
	Name   string
	Groups []string
	Labels map[string]string
}

// Match says which hosts a file is for: those that every key given fits.
type Match struct {
	// Hosts are patterns of names, of which one must fit: web*, db0[1-3].
	Hosts []string `yaml:"hosts" json:"hosts,omitempty"`
	// Groups are patterns, of which one must fit one of the host's groups.
	Groups []string `yaml:"groups" json:"groups,omitempty"`
	// Labels are patterns of values, all of which must fit.
	Labels map[string]string `yaml:"labels" json:"labels,omitempty"`
}

func (m *Match) fits(h *Host) bool {
	if len(m.Hosts) > 0 && !anyFits(m.Hosts, h.Name) {
		return false
	}
	if len(m.Groups) > 0 && !slices.ContainsFunc(h.Groups, func(g string) bool { return anyFits(m.Groups, g) }) {
		return false
	}
	for name, pattern := range m.Labels {
		if value, ok := h.Labels[name]; !ok || !anyFits([]string{pattern}, value) {
			return false
		}
	}
	return true
}

func anyFits(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, s)
		return ok && err == nil // patterns were checked when read
	})
}

func (m *Match) check() error {
	patterns := slices.Concat(m.Hosts, m.Groups)
	for _, p := range m.Labels {
		patterns = append(patterns, p)
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" {
			return fmt.Errorf("bad pattern %q", p)
		}
	}
	return nil
}

// file is one file of the folder.
type file struct {
	name    string
	builtIn bool
	match   Match
	entries []entry
}

// entry is one probe or check of a file.
type entry struct {
	kind, name string
	off        bool // takes out what earlier files have under this name
	line       int
	node       *yaml.Node
}

// Problem is what is wrong with a file.
type Problem struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"` // 0: of the whole file
	Reason string `json:"reason"`
}

// Error is the problem as a log line shows it.
func (p Problem) Error() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Reason)
}

// Checker tells what an agent would refuse of a file's text.
type Checker func(text []byte) []control.Refusal

// Check tells what is wrong with a file's text.
func Check(name string, text []byte, check Checker) []Problem {
	_, bad := parse(name, text, check)
	return bad
}

// parse reads a file, strictly.
func parse(name string, text []byte, check Checker) (*file, []Problem) {
	var doc struct {
		Match  Match       `yaml:"match"`
		Probes []yaml.Node `yaml:"probes"`
		Checks []yaml.Node `yaml:"checks"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, problems(name, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, []Problem{{File: name, Reason: "more than one document"}}
	}
	f := &file{name: name, match: doc.Match}
	var bad []Problem
	if err := f.match.check(); err != nil {
		bad = append(bad, Problem{File: name, Reason: "match: " + err.Error()})
	}
	f.add("probe", doc.Probes)
	f.add("check", doc.Checks)
	for _, r := range check(text) {
		bad = append(bad, Problem{File: name, Line: r.Line, Reason: r.Name + ": " + r.Reason})
	}
	return f, bad
}

// add takes a section's entries; what is wrong with one the checker says.
func (f *file) add(kind string, nodes []yaml.Node) {
	for i := range nodes {
		n := &nodes[i]
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		var head struct {
			Name string `yaml:"name"`
			Off  bool   `yaml:"off"`
		}
		if err := n.Decode(&head); err != nil || head.Name == "" {
			continue
		}
		f.entries = append(f.entries, entry{kind: kind, name: head.Name, off: head.Off, line: n.Line, node: n})
	}
}

var (
	lineNumber = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)
	unknownKey = regexp.MustCompile(`^field (\S+) not found in type .*$`)
)

// problems are a decoder's errors, each with its line.
func problems(name string, err error) (all []Problem) {
	texts := []string{err.Error()}
	var te *yaml.TypeError
	if errors.As(err, &te) {
		texts = te.Errors
	}
	for _, text := range texts {
		p := Problem{File: name, Reason: text}
		if m := lineNumber.FindStringSubmatch(text); m != nil {
			p.Line, _ = strconv.Atoi(m[1]) // digits
			p.Reason = unknownKey.ReplaceAllString(text[len(m[0]):], `unknown key "$1"`)
		}
		all = append(all, p)
	}
	return all
}
