package alerting

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"thump/alerting/notify"
	"thump/alerting/rules"
	"thump/configs"
	"thump/internal/revision"
	"thump/internal/vfs"
)

// routesFile is the name of alertmanager.yml in the API.
const routesFile = "alertmanager.yml"

// File is a file of rules, or alertmanager.yml, as the API shows it.
type File struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Shipped bool   `json:"shipped"` // it is built in, and not changed
	Content string `json:"content,omitempty"`
}

// Revision is one change of a file by the API.
type Revision = revision.Revision

// change is what a PUT says.
type change struct {
	Content string `json:"content"`
	By      string `json:"by"`
	Note    string `json:"note"`
}

var (
	errNoFile   = errors.New("no such file")
	errFileName = errors.New("want a name like web.yml: letters, digits, . _ and -, at the end .yml, .yaml or .rules")
)

func (a *Alerting) registerFiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/alerts/files", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.files()) })
	mux.HandleFunc("GET /api/alerts/files/{name}", a.getFile)
	mux.HandleFunc("PUT /api/alerts/files/{name}", a.putFile)
	mux.HandleFunc("DELETE /api/alerts/files/{name}", a.deleteFile)
	mux.HandleFunc("GET /api/alerts/revisions", func(w http.ResponseWriter, r *http.Request) {
		answer(w, a.revisions.Of(r.URL.Query().Get("file")))
	})
	mux.HandleFunc("POST /api/alerts/revisions/{id}/undo", a.undo)
}

// ownRules is the folder of rule files that the API writes if none are configured;
// they are read besides those that ship, and instead of one of the same name.
func (a *Alerting) ownRules() string { return filepath.Join(a.cfg.DataDir, "rules") }

// routesPath is the alertmanager.yml in force; empty: the one that ships.
func (a *Alerting) routesPath() string {
	own := filepath.Join(a.cfg.DataDir, routesFile)
	if _, err := os.Stat(own); a.cfg.AlertmanagerConfig == "" && err == nil {
		return own
	}
	return a.cfg.AlertmanagerConfig
}

// files are all files, without their content.
func (a *Alerting) files() []File {
	all := []File{a.routesInForce()}
	for _, path := range a.rules.Set().Files() {
		_, err := os.Stat(path)
		all = append(all, File{Name: filepath.Base(path), Path: path, Shipped: len(a.cfg.Rules) == 0 && err != nil})
	}
	return all
}

func (a *Alerting) routesInForce() File {
	if p := a.routesPath(); p != "" {
		return File{Name: routesFile, Path: p}
	}
	return File{Name: routesFile, Path: configs.Alertmanager, Shipped: true}
}

func (a *Alerting) find(name string) (File, error) {
	all := a.files()
	i := slices.IndexFunc(all, func(f File) bool { return f.Name == name })
	if i < 0 {
		return File{}, fmt.Errorf("%w: %q", errNoFile, name)
	}
	read := os.ReadFile
	if all[i].Shipped {
		read = func(name string) ([]byte, error) { return fs.ReadFile(configs.Files, name) }
	}
	b, err := read(all[i].Path)
	all[i].Content = string(b)
	return all[i], err
}

func (a *Alerting) getFile(w http.ResponseWriter, r *http.Request) {
	f, err := a.find(r.PathValue("name"))
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	answer(w, f)
}

// pathFor is where a file is written.
func (a *Alerting) pathFor(name string) (string, error) {
	if name == routesFile {
		if a.cfg.AlertmanagerConfig != "" {
			return a.cfg.AlertmanagerConfig, nil
		}
		return filepath.Join(a.cfg.DataDir, routesFile), nil
	}
	if !rules.IsFile(name) || filepath.Base(name) != name || strings.HasPrefix(name, ".") ||
		strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(fileLetters, r) }) {
		return "", fmt.Errorf("file %q: %w", name, errFileName)
	}
	if len(a.cfg.Rules) == 0 {
		return filepath.Join(a.ownRules(), name), nil
	}
	for _, glob := range a.cfg.Rules {
		path := filepath.Join(filepath.Dir(glob), name)
		if ok, err := filepath.Match(glob, path); ok && err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("file %q: none of the configured rules (%s) would read it", name, strings.Join(a.cfg.Rules, ", "))
}

const fileLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

func (a *Alerting) putFile(w http.ResponseWriter, r *http.Request) {
	var ask change
	if body(w, r, &ask) {
		a.change(w, r, r.PathValue("name"), &ask.Content, ask)
	}
}

func (a *Alerting) deleteFile(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a.change(w, r, r.PathValue("name"), nil, change{By: q.Get("by"), Note: q.Get("note")})
}

// undo makes a file what it was before a revision.
func (a *Alerting) undo(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	rev, ok := a.revisions.Get(id)
	if err != nil || !ok {
		refuse(w, http.StatusNotFound, fmt.Errorf("no revision %q", r.PathValue("id")))
		return
	}
	a.change(w, r, rev.File, rev.Before, change{By: r.URL.Query().Get("by"), Note: fmt.Sprintf("back to before revision %d", id)})
}

// change writes a file, or with nil removes it, and puts it in force.
func (a *Alerting) change(w http.ResponseWriter, r *http.Request, name string, content *string, c change) {
	a.editing.Lock()
	defer a.editing.Unlock()
	path, err := a.pathFor(name)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	if content != nil {
		if err := a.checkFile(name, path, *content); err != nil {
			refuse(w, http.StatusUnprocessableEntity, err)
			return
		}
	}
	before, err := revision.Content(path)
	switch {
	case err != nil:
		refuse(w, http.StatusInternalServerError, err)
		return
	case before == nil && content == nil:
		refuse(w, http.StatusNotFound, fmt.Errorf("%w: %q", errNoFile, path))
		return
	}
	rev := Revision{At: time.Now().UTC(), By: revision.Author(r, c.By), Note: c.Note, File: name, Before: before, After: content}
	// If anything is wrong with the whole, the file is what it was.
	if rev, err = a.revisions.Apply(path, rev, a.Reload); err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	a.log.Info("file changed", "file", path, "by", rev.By)
	answer(w, rev)
}

func (a *Alerting) checkFile(name, path, content string) error {
	if name == routesFile {
		return a.checkRoutes(path, content)
	}
	return rules.Check(path, []byte(content), a.log)
}

// checkRoutes checks an alertmanager.yml beside the one in force, since the paths
// in it are relative to its folder.
func (a *Alerting) checkRoutes(path, content string) error {
	beside := path + ".check"
	if err := vfs.WriteFile(vfs.OS{}, beside, []byte(content)); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	err := notify.Check(beside, a.log)
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), beside, path))
	}
	return errors.Join(err, os.Remove(beside))
}
