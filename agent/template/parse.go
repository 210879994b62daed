package template

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"thump/agent/check"
	"thump/internal/control"
)

// Parse reads a template in YAML for an agent that has the probes known: either
// what a server hands out, or a file of a server's folder, whose key match is
// the server's own. An entry that the agent does not understand is refused by
// itself, and the others hold; an error says that nothing can be read at all.
func Parse(text []byte, known []string) (Template, []control.Refusal, error) {
	var sections map[string]yaml.Node
	if err := yaml.Unmarshal(text, &sections); err != nil {
		return Template{}, nil, fmt.Errorf("template: %w", err)
	}
	r := reader{known: known, seen: map[string]bool{}}
	for name, node := range sections {
		switch name {
		case "match":
		case "probes":
			r.each("probe", &node, r.probe)
		case "checks":
			r.each("check", &node, r.check)
		default:
			r.refuse(name, node.Line, errors.New("unknown section, want probes or checks"))
		}
	}
	return r.template, r.refused, nil
}

// reader takes a template apart, entry by entry.
type reader struct {
	known    []string
	template Template
	refused  []control.Refusal
	seen     map[string]bool // kind and name
}

func (r *reader) refuse(name string, line int, reason error) {
	r.refused = append(r.refused, control.Refusal{Name: name, Line: line, Reason: reason.Error()})
}

// each hands over the entries of one section; one that is switched off is only
// checked for its name.
func (r *reader) each(kind string, section *yaml.Node, take func(*yaml.Node) error) {
	var entries []yaml.Node
	if err := section.Decode(&entries); err != nil {
		r.refuse(kind+"s", section.Line, errors.New("want a list"))
		return
	}
	for i := range entries {
		e := &entries[i]
		if e.Kind == yaml.AliasNode {
			e = e.Alias
		}
		var head struct {
			Name string `yaml:"name"`
			Off  bool   `yaml:"off"`
		}
		err := e.Decode(&head)
		id := kind + " " + head.Name
		switch {
		case err != nil || head.Name == "":
			r.refuse(id, e.Line, errors.New("want a mapping with a name"))
			continue
		case r.seen[id]:
			r.refuse(id, e.Line, errors.New("named twice"))
			continue
		}
		r.seen[id] = true
		if head.Off {
			continue
		}
		if err := take(e); err != nil {
			r.refuse(id, lineOf(e, err), bare(err))
		}
	}
}

func (r *reader) probe(e *yaml.Node) error {
	var p Probe
	if err := strictly(e, &p); err != nil {
		return err
	}
	if err := p.check(r.known); err != nil {
		return err
	}
	r.template.Probes = append(r.template.Probes, p)
	return nil
}

func (r *reader) check(e *yaml.Node) error {
	var c check.Spec
	if err := strictly(e, &c); err != nil {
		return err
	}
	if err := c.Validate(); err != nil {
		return err
	}
	r.template.Checks = append(r.template.Checks, c)
	return nil
}

// strictly decodes an entry; a key that v does not know is an error. Only a whole
// text can be decoded so, therefore the entry becomes one.
func strictly(e *yaml.Node, v any) error {
	text, err := yaml.Marshal(without(e, "off"))
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	return dec.Decode(v)
}

// without is a mapping without one of its keys.
func without(e *yaml.Node, key string) *yaml.Node {
	c := *e
	c.Content = nil
	for i := 0; i+1 < len(e.Content); i += 2 {
		if e.Content[i].Value != key {
			c.Content = append(c.Content, e.Content[i], e.Content[i+1])
		}
	}
	return &c
}

var (
	unknownKey = regexp.MustCompile(`line \d+: field (\S+) not found in type \S+`)
	lineNumber = regexp.MustCompile(`line \d+: `)
)

// lineOf is where in the template an entry is wrong: at the key that is not
// known, or else where it begins.
func lineOf(e *yaml.Node, err error) int {
	if m := unknownKey.FindStringSubmatch(err.Error()); m != nil {
		if n := find(e, m[1]); n != nil {
			return n.Line
		}
	}
	return e.Line
}

func find(e *yaml.Node, key string) *yaml.Node {
	for i, c := range e.Content {
		if e.Kind == yaml.MappingNode && i%2 == 0 && c.Value == key {
			return c
		}
		if n := find(c, key); n != nil {
			return n
		}
	}
	return nil
}

// bare is a decoder's error in the reader's words, without the line numbers of a
// text that nobody sees.
func bare(err error) error {
	var te *yaml.TypeError
	if !errors.As(err, &te) {
		return err
	}
	var all []error
	for _, e := range te.Errors {
		if m := unknownKey.FindStringSubmatch(e); m != nil {
			e = "unknown key " + strconv.Quote(m[1])
		}
		all = append(all, errors.New(lineNumber.ReplaceAllString(e, "")))
	}
	return errors.Join(all...)
}
