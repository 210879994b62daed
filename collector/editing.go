package collector

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"thump/collector/templates"
	"thump/internal/revision"
)

// maxEdit bounds the body of a request that edits, in bytes: a file of 1 MiB as JSON.
const maxEdit = 8 << 20

// edits are the changes of template files over HTTP.
type edits struct {
	mu  sync.Mutex // one change at a time
	log *revision.Log
}

// templateFile is one file as the API shows it.
type templateFile struct {
	Name    string `json:"name"`
	BuiltIn bool   `json:"built_in"`
	Content string `json:"content"`
	ETag    string `json:"etag"`
}

// edit is what a request wants a file to be.
type edit struct {
	File    string  `json:"file"`    // of a preview
	Content *string `json:"content"` // null: no such file
	By      string  `json:"by"`
	Note    string  `json:"note"`
}

// shownRevision is a change as the list of changes shows it: with the difference,
// but without what the whole file was.
type shownRevision struct {
	ID   int       `json:"id"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Note string    `json:"note,omitempty"`
	File string    `json:"file"`
	Diff string    `json:"diff"`
}

func (c *Collector) registerEdits(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/templates/files/{name}", c.serveTemplateFile)
	mux.HandleFunc("PUT /api/templates/files/{name}", c.putTemplateFile)
	mux.HandleFunc("DELETE /api/templates/files/{name}", c.deleteTemplateFile)
	mux.HandleFunc("POST /api/templates/preview", c.previewTemplate)
	mux.HandleFunc("GET /api/templates/revisions", c.serveRevisions)
	mux.HandleFunc("GET /api/templates/revisions/{id}", c.serveRevision)
	mux.HandleFunc("POST /api/templates/revisions/{id}/undo", c.undoTemplate)
}

// fleet is every host as the files match it.
func (c *Collector) fleet() []templates.Host {
	var all []templates.Host
	for _, s := range c.hosts.states() {
		all = append(all, s.matchable())
	}
	return all
}

// matchable is the host for the files to match.
func (s *state) matchable() templates.Host {
	if s.Reported.IsZero() {
		return templates.Host{Name: s.Name, Groups: []string{s.Group}}
	}
	return matchable(&s.Report)
}

// inForce is a file in force and for how many hosts it is.
type inForce struct {
	templates.File
	Hosts int `json:"hosts"`
}

// serveTemplates answers with the files in force, and what is wrong with those
// last read.
func (c *Collector) serveTemplates(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Files    []inForce           `json:"files"`
		Since    *time.Time          `json:"since"` // null: no good set was read since the start
		Problems []templates.Problem `json:"problems"`
	}{[]inForce{}, nil, append([]templates.Problem{}, c.steering.folder.Problems()...)}
	if set, since := c.steering.folder.Set(); set != nil {
		since = since.UTC()
		answer.Files, answer.Since = filesInForce(set, c.fleet()), &since
	}
	writeJSON(w, http.StatusOK, answer)
}

func filesInForce(set *templates.Set, fleet []templates.Host) (all []inForce) {
	for _, f := range set.Files() {
		x := inForce{File: f}
		for i := range fleet {
			if set.Fits(f.Name, &fleet[i]) {
				x.Hosts++
			}
		}
		all = append(all, x)
	}
	return all
}

// written is what lies in the folder under a name; if there is nothing, what is
// built in, or nil.
func (c *Collector) written(name string) (path string, own, shown *string, err error) {
	path, err = c.steering.folder.Path(name)
	if err == nil {
		own, err = revision.Content(path)
	}
	if shown = own; own == nil {
		shown = c.steering.folder.BuiltIn(name)
	}
	return path, own, shown, err
}

func (c *Collector) serveTemplateFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	_, own, shown, err := c.written(name)
	if err == nil && shown == nil {
		err = errors.New("no such file")
	}
	if err != nil {
		writeError(w, http.StatusNotFound, "not_found", err.Error())
		return
	}
	tag := revision.ETag(*shown)
	w.Header().Set("ETag", tag)
	writeJSON(w, http.StatusOK, templateFile{name, own == nil, *shown, tag})
}

func (c *Collector) putTemplateFile(w http.ResponseWriter, r *http.Request) {
	var ask edit
	if !readEdit(w, r, &ask) {
		return
	}
	if ask.Content == nil {
		writeError(w, http.StatusBadRequest, "bad_data", `body: want {"content": …}; DELETE removes a file`)
		return
	}
	ask.File = r.PathValue("name")
	c.edit(w, r, &ask)
}

func (c *Collector) deleteTemplateFile(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c.edit(w, r, &edit{File: r.PathValue("name"), By: q.Get("by"), Note: q.Get("note")})
}

// undoTemplate makes a file what it was before a change.
func (c *Collector) undoTemplate(w http.ResponseWriter, r *http.Request) {
	if rev, ok := c.revision(w, r); ok {
		note := fmt.Sprintf("back to before revision %d", rev.ID)
		c.edit(w, r, &edit{File: rev.File, Content: rev.Before, By: r.URL.Query().Get("by"), Note: note})
	}
}

// edit makes a file what the request wants and tells the agents concerned, or
// changes nothing and says why.
func (c *Collector) edit(w http.ResponseWriter, r *http.Request, ask *edit) {
	c.edits.mu.Lock()
	defer c.edits.mu.Unlock()
	path, own, shown, err := c.written(ask.File)
	switch {
	case err != nil:
		writeError(w, http.StatusUnprocessableEntity, "bad_data", err.Error())
		return
	case own == nil && ask.Content == nil:
		writeError(w, http.StatusNotFound, "not_found", "no such file in the folder")
		return
	}
	if err := revision.Expected(r, shown); err != nil {
		writeError(w, http.StatusPreconditionFailed, "conflict", err.Error())
		return
	}
	if _, bad, _ := c.steering.folder.Try(ask.File, ask.Content); len(bad) > 0 {
		writeProblems(w, bad)
		return
	}
	rev := revision.Revision{At: time.Now().UTC(), By: revision.Author(r, ask.By), Note: ask.Note, File: ask.File, Before: own, After: ask.Content}
	if rev, err = c.edits.log.Apply(path, rev, c.rereadTemplates); err != nil {
		writeError(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	c.log.Info("template file changed", "file", ask.File, "by", rev.By, "revision", rev.ID)
	if ask.Content != nil {
		w.Header().Set("ETag", revision.ETag(*ask.Content))
	}
	writeJSON(w, http.StatusOK, struct {
		shownRevision
		// What keeps the folder from being in force: other files are bad.
		Problems []templates.Problem `json:"problems"`
	}{shownAs(&rev), append([]templates.Problem{}, c.steering.folder.Problems()...)})
}

// rereadTemplates puts the folder in force. That another file of it is bad, which
// somebody wrote by hand, does not keep this one from being mended.
func (c *Collector) rereadTemplates() error {
	if err := c.steering.folder.Reload(); err == nil {
		c.steering.change()
	}
	return nil
}

// previewTemplate tells what a change would mean, and for which hosts.
func (c *Collector) previewTemplate(w http.ResponseWriter, r *http.Request) {
	var ask edit
	if !readEdit(w, r, &ask) {
		return
	}
	_, own, _, err := c.written(ask.File)
	if err != nil {
		writeError(w, http.StatusUnprocessableEntity, "bad_data", err.Error())
		return
	}
	after, bad, others := c.steering.folder.Try(ask.File, ask.Content)
	if bad = append(bad, others...); len(bad) > 0 {
		writeProblems(w, bad)
		return
	}
	before, _ := c.steering.folder.Set()
	changes, unchanged := templates.Compare(before, after, c.fleet())
	writeJSON(w, http.StatusOK, struct {
		Diff      string          `json:"diff"`
		Changes   []changePreview `json:"changes"`
		Unchanged int             `json:"unchanged"` // hosts
	}{revision.Diff(own, ask.Content), previews(changes), unchanged})
}

// changePreview is what some hosts would get.
type changePreview struct {
	templates.Change
	Diff string `json:"diff"` // of their template
}

func previews(changes []templates.Change) []changePreview {
	all := make([]changePreview, len(changes))
	for i, c := range changes {
		all[i] = changePreview{c, revision.Diff(&c.Bodies[0], &c.Bodies[1])}
	}
	return all
}

func (c *Collector) serveRevisions(w http.ResponseWriter, r *http.Request) {
	answer := []shownRevision{}
	for _, rev := range c.edits.log.Of(r.URL.Query().Get("file")) {
		answer = append(answer, shownAs(&rev))
	}
	writeJSON(w, http.StatusOK, answer)
}

func shownAs(r *revision.Revision) shownRevision {
	return shownRevision{r.ID, r.At, r.By, r.Note, r.File, revision.Diff(r.Before, r.After)}
}

// serveRevision answers with one change and what the file was before and after.
func (c *Collector) serveRevision(w http.ResponseWriter, r *http.Request) {
	if rev, ok := c.revision(w, r); ok {
		writeJSON(w, http.StatusOK, struct {
			revision.Revision
			Diff string `json:"diff"`
		}{rev, revision.Diff(rev.Before, rev.After)})
	}
}

// revision is the change that the path names; if there is none it answers so.
func (c *Collector) revision(w http.ResponseWriter, r *http.Request) (revision.Revision, bool) {
	id, err := strconv.Atoi(r.PathValue("id"))
	rev, ok := c.edits.log.Get(id)
	if err != nil || !ok {
		writeError(w, http.StatusNotFound, "not_found", fmt.Sprintf("no revision %q", r.PathValue("id")))
		return rev, false
	}
	return rev, true
}

// readEdit reads a body, strictly; if it cannot, it answers why.
func readEdit(w http.ResponseWriter, r *http.Request, into *edit) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxEdit))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		writeError(w, http.StatusBadRequest, "bad_data", "body: "+err.Error())
		return false
	}
	return true
}

// writeProblems answers with all that is wrong with a file.
func writeProblems(w http.ResponseWriter, bad []templates.Problem) {
	writeJSON(w, http.StatusUnprocessableEntity, map[string]any{
		"status": "error", "errorType": "bad_data", "error": bad[0].Error(), "problems": bad,
	})
}
