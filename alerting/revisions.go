package alerting

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
	// maxRevisionBytes bounds them all together.
	maxRevisionBytes = 64 << 20
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

// revisions is who changed what, in one file of lines of JSON.
type revisions struct {
	path string // static

	mu  sync.Mutex
	all []Revision // oldest first; guarded by mu
}

func openRevisions(path string) (*revisions, error) {
	r := &revisions{path: path}
	b, err := vfs.ReadFile(vfs.OS{}, path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read who changed rules and routes: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var one Revision
		if err := d.Decode(&one); err != nil {
			return nil, fmt.Errorf("read who changed rules and routes from %s: %w", path, err)
		}
		r.all = append(r.all, one)
	}
	return r, nil
}

// add keeps a change. It is on disk when add returns.
func (r *revisions) add(one Revision) (Revision, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one.ID = 1
	if n := len(r.all); n > 0 {
		one.ID = r.all[n-1].ID + 1
	}
	all := append(r.all[max(0, len(r.all)+1-maxRevisions):len(r.all):len(r.all)], one)
	b, err := lines(all)
	for err == nil && len(b) > maxRevisionBytes && len(all) > 1 {
		all = all[1:]
		b, err = lines(all)
	}
	if err == nil {
		err = vfs.WriteFile(vfs.OS{}, r.path, b)
	}
	if err != nil {
		return one, fmt.Errorf("keep who changed %s: %w", one.File, err)
	}
	r.all = all
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

// of returns the changes of a file, or of all, newest first.
func (r *revisions) of(file string) []Revision {
	r.mu.Lock()
	defer r.mu.Unlock()
	some := []Revision{}
	for i := len(r.all) - 1; i >= 0; i-- {
		if file == "" || r.all[i].File == file {
			some = append(some, r.all[i])
		}
	}
	return some
}

func (r *revisions) get(id int) (Revision, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.all {
		if one.ID == id {
			return one, true
		}
	}
	return Revision{}, false
}
