package templates

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
)

// Errors of names and sizes.
var (
	errName   = errors.New("want a name like 20-web.yaml: letters, digits, . _ and -, at the end .yaml or .yml")
	errSize   = fmt.Errorf("want at most %d bytes", maxFile)
	errNumber = fmt.Errorf("want at most %d files", maxFiles)
)

var fileName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\.ya?ml$`)

// Path is where a file of the folder lies.
func (f *Folder) Path(name string) (string, error) {
	if !fileName.MatchString(name) {
		return "", fmt.Errorf("file %q: %w", name, errName)
	}
	return filepath.Join(f.dir, name), nil
}

// BuiltIn is the content of a file that nobody has written; nil if there is none
// of that name.
func (f *Folder) BuiltIn(name string) *string {
	if name != DefaultName {
		return nil
	}
	text := string(f.builtIn)
	return &text
}

// Try tells what the set would be if a file had this content, or with nil were not
// in the folder. own is what is wrong with this file; others what is wrong with
// the rest of the folder. With either there is no set.
func (f *Folder) Try(name string, content *string) (set *Set, own, others []Problem) {
	texts, err := f.read()
	if err != nil {
		return nil, nil, []Problem{{File: f.dir, Reason: err.Error()}}
	}
	delete(texts, name)
	if content != nil {
		if len(*content) > maxFile {
			return nil, []Problem{{File: name, Reason: errSize.Error()}}, nil
		}
		texts[name] = []byte(*content)
	}
	if len(texts) > maxFiles {
		return nil, []Problem{{File: name, Reason: errNumber.Error()}}, nil
	}
	set, bad := newSet(f.builtIn, texts, f.check)
	for _, p := range bad {
		if p.File == name && content != nil {
			own = append(own, p)
		} else {
			others = append(others, p)
		}
	}
	return set, own, others
}

// Fits tells whether a file of the set is for a host.
func (s *Set) Fits(name string, h *Host) bool {
	i := slices.IndexFunc(s.files, func(f *file) bool { return f.name == name })
	return i >= 0 && s.files[i].match.fits(h)
}

// Change is what another set means for some hosts: all that have the same.
type Change struct {
	Hosts  []string `json:"hosts"`
	Before string   `json:"before"` // revision; "" if there was no set
	After  string   `json:"after"`
	// The entries that differ: what is new, what is gone, and what is other than it was.
	Added   []Entry `json:"added"`
	Removed []Entry `json:"removed"`
	Changed []Entry `json:"changed"`

	Bodies [2]string `json:"-"` // before and after
}

// Compare tells what changes for hosts if the set after takes the place of
// before, which may be nil; unchanged counts the others.
func Compare(before, after *Set, hosts []Host) (changes []Change, unchanged int) {
	changes = []Change{}
	for i := range hosts {
		was, is := Effective{}, after.For(&hosts[i])
		if before != nil {
			was = before.For(&hosts[i])
		}
		if was.Revision == is.Revision {
			unchanged++
			continue
		}
		same := func(c Change) bool { return c.Before == was.Revision && c.After == is.Revision }
		at := slices.IndexFunc(changes, same)
		if at < 0 {
			at = len(changes)
			changes = append(changes, changeOf(&was, &is))
		}
		changes[at].Hosts = append(changes[at].Hosts, hosts[i].Name)
	}
	return changes, unchanged
}

func changeOf(was, is *Effective) Change {
	c := Change{Before: was.Revision, After: is.Revision, Bodies: [2]string{was.Body, is.Body}, Added: []Entry{}, Removed: []Entry{}, Changed: []Entry{}}
	for _, e := range is.Entries {
		switch i := was.find(&e); {
		case i < 0:
			c.Added = append(c.Added, e)
		case was.Entries[i].text != e.text:
			c.Changed = append(c.Changed, e)
		}
	}
	for _, e := range was.Entries {
		if is.find(&e) < 0 {
			c.Removed = append(c.Removed, e)
		}
	}
	return c
}

// find returns the place of the entry with e's name, or -1.
func (x *Effective) find(e *Entry) int {
	return slices.IndexFunc(x.Entries, func(o Entry) bool { return o.Kind == e.Kind && o.Name == e.Name })
}
