package templates

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"thump/internal/control"
)

// DefaultName is the name of the built-in file. It comes before all others, and
// a file of this name in the folder takes its place.
const DefaultName = "default.yaml"

// Set is all files, checked. It does not change.
type Set struct {
	files  []*file  // default.yaml, then by name
	merged sync.Map // Effective by the files that fit, as many hosts have the same
}

// Effective is the template of one host.
type Effective struct {
	Revision string  `json:"revision"`
	Body     string  `json:"body"` // YAML
	Entries  []Entry `json:"entries"`
}

// Entry is one probe or check of a host, and where it comes from.
type Entry struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
	text string // what it says, without comments
}

// File is a file as the API shows it.
type File struct {
	Name    string `json:"name"`
	BuiltIn bool   `json:"built_in"`
	Match   Match  `json:"match"`
	Entries int    `json:"entries"`
}

// newSet reads texts by file name over the built-in one; with a problem there is
// no set.
func newSet(builtIn []byte, texts map[string][]byte, check Checker) (*Set, []Problem) {
	s := &Set{}
	var bad []Problem
	read := func(name string, text []byte, own bool) {
		f, problems := parse(name, text, check)
		bad = append(bad, problems...)
		if f != nil {
			f.builtIn = own
			s.files = append(s.files, f)
		}
	}
	if _, replaced := texts[DefaultName]; !replaced {
		read(DefaultName, builtIn, true)
	}
	for name, text := range texts {
		read(name, text, false)
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b Problem) int { return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) })
		return nil, bad
	}
	slices.SortFunc(s.files, func(a, b *file) int { return strings.Compare(a.order(), b.order()) })
	return s, nil
}

// order sorts files: the default comes before every name.
func (f *file) order() string {
	if f.name == DefaultName {
		return ""
	}
	return f.name
}

// Files lists the files in the order in which they are merged.
func (s *Set) Files() []File {
	all := make([]File, 0, len(s.files))
	for _, f := range s.files {
		all = append(all, File{f.name, f.builtIn, f.match, len(f.entries)})
	}
	return all
}

// For merges the files that fit a host, in their order. An entry replaces, as a
// whole and in its place, the one that an earlier file has under the same name;
// one that is off takes it out.
func (s *Set) For(h *Host) Effective {
	fit := make([]byte, len(s.files))
	for i, f := range s.files {
		if f.match.fits(h) {
			fit[i] = 1
		}
	}
	if e, ok := s.merged.Load(string(fit)); ok {
		return e.(Effective)
	}
	e := s.merge(fit)
	s.merged.Store(string(fit), e)
	return e
}

func (s *Set) merge(fit []byte) Effective {
	var merged []sourced
	for i, f := range s.files {
		if fit[i] == 0 {
			continue
		}
		for i := range f.entries {
			merged = merge(merged, sourced{&f.entries[i], f.name})
		}
	}
	e := Effective{Body: render(merged), Entries: []Entry{}}
	e.Revision = control.Revision(e.Body)
	for _, m := range merged {
		e.Entries = append(e.Entries, Entry{m.kind, m.name, m.file, m.line, write(plain(m.node))})
	}
	return e
}

// sourced is an entry with its file.
type sourced struct {
	*entry
	file string
}

func merge(into []sourced, e sourced) []sourced {
	i := slices.IndexFunc(into, func(o sourced) bool { return o.kind == e.kind && o.name == e.name })
	switch {
	case i < 0 && e.off:
	case i < 0:
		into = append(into, e)
	case e.off:
		into = slices.Delete(into, i, i+1)
	default:
		into[i] = e
	}
	return into
}

// render writes entries as one template.
func render(entries []sourced) string {
	var out struct {
		Probes []*yaml.Node `yaml:"probes,omitempty"`
		Checks []*yaml.Node `yaml:"checks,omitempty"`
	}
	for _, e := range entries {
		if e.kind == "probe" {
			out.Probes = append(out.Probes, plain(e.node))
		} else {
			out.Checks = append(out.Checks, plain(e.node))
		}
	}
	return write(out)
}

func write(v any) string {
	text, err := yaml.Marshal(v)
	if err != nil { // nodes that were read can be written
		panic(fmt.Sprintf("templates: render: %v", err))
	}
	return string(text)
}

// plain is a node without comments, anchors and aliases, so that it stands
// alone and a changed comment is no new revision.
func plain(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return plain(n.Alias)
	}
	c := *n
	c.HeadComment, c.LineComment, c.FootComment, c.Anchor = "", "", "", ""
	c.Content = nil
	for i := 0; i < len(n.Content); i++ {
		if n.Kind == yaml.MappingNode && i%2 == 0 && n.Content[i].Value == "off" {
			i++ // false, or the entry would not be here
			continue
		}
		c.Content = append(c.Content, plain(n.Content[i]))
	}
	return &c
}
