package revision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"thump/internal/vfs"
)

const (
	// maxRevisions is how many changes of files are kept; the oldest go first.
	maxRevisions = 500
	// maxBytes bounds them all together.
	maxBytes = 64 << 20
)

// Revision is one change of a file by the API.
type Revision struct {
	ID   int       `json:"id"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Note string    `json:"note,omitempty"`
	File string    `json:"file"`
	// Before and After are the file's content; nil: there was none, or is none.
	Before *string `json:"before"`
	After  *string `json:"after"`
}

// Log is who changed what, in one file of lines of JSON. Its methods may be
// called from any goroutine.
type Log struct {
	path string // static

	mu  sync.Mutex
	all []Revision // oldest first; guarded by mu
}

// Open reads the log at path; that there is none is no error.
func Open(path string) (*Log, error) {
	l := &Log{path: path}
	b, err := vfs.ReadFile(vfs.OS{}, path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read who changed what: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var one Revision
		if err := d.Decode(&one); err != nil {
			return nil, fmt.Errorf("read who changed what from %s: %w", path, err)
		}
		l.all = append(l.all, one)
	}
	return l, nil
}

// Apply writes the file of a change, has it put in force, and keeps the change.
// If one of these fails, the file, and what is in force, is as before. There is
// one change of a file at a time.
func (l *Log) Apply(path string, c Revision, force func() error) (Revision, error) {
	if err := write(path, c.After); err != nil {
		return c, err
	}
	if err := force(); err != nil {
		return c, errors.Join(err, write(path, c.Before))
	}
	kept, err := l.add(c)
	if err != nil {
		return c, errors.Join(err, write(path, c.Before), force())
	}
	return kept, nil
}

// add keeps a change. It is on disk when add returns.
func (l *Log) add(one Revision) (Revision, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one.ID = 1
	if n := len(l.all); n > 0 {
		one.ID = l.all[n-1].ID + 1
	}
	all := append(l.all[max(0, len(l.all)+1-maxRevisions):len(l.all):len(l.all)], one)
	b, err := lines(all)
	for err == nil && len(b) > maxBytes && len(all) > 1 {
		all = all[1:]
		b, err = lines(all)
	}
	if err == nil {
		err = vfs.WriteFile(vfs.OS{}, l.path, b)
	}
	if err != nil {
		return one, fmt.Errorf("keep who changed %s: %w", one.File, err)
	}
	l.all = all
	return one, nil
}

func lines(all []Revision) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, one := range all {
		if err := e.Encode(one); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// Of returns the changes of a file, or with "" of all, newest first.
func (l *Log) Of(file string) []Revision {
	l.mu.Lock()
	defer l.mu.Unlock()
	some := []Revision{}
	for i := len(l.all) - 1; i >= 0; i-- {
		if file == "" || l.all[i].File == file {
			some = append(some, l.all[i])
		}
	}
	return some
}

// Get returns one change, or false.
func (l *Log) Get(id int) (Revision, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		if one.ID == id {
			return one, true
		}
	}
	return Revision{}, false
}
