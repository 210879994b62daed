package management

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"thump/broker/definitions"
	"thump/broker/vhost"
)

// object is a JSON object.
type object = map[string]any

// call is one request of a user who has logged in.
type call struct {
	*http.Request
	user  definitions.User
	vhost *vhost.VHost // named by the path, if it names one
}

// part returns what stands for {name} in the path.
func (c *call) part(name string) string {
	v, err := url.PathUnescape(c.PathValue(name))
	if err != nil {
		return c.PathValue(name) // a percent sign that stands for itself
	}
	return v
}

// created is the answer to what made something; location may be "".
type created struct{ location string }

// text is an answer that is not JSON.
type text struct{ contentType, body string }

// body reads the request's JSON object. An empty body is an empty object.
func (c *call) body() (object, error) {
	b, err := io.ReadAll(c.Request.Body)
	if err != nil {
		return nil, err
	}
	if len(strings.TrimSpace(string(b))) == 0 {
		return object{}, nil
	}
	var o object
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&o); err != nil || o == nil {
		return nil, &failure{http.StatusBadRequest, "bad_request", "not_json"}
	}
	return o, nil
}

// require returns the body if it has the keys.
func (c *call) require(keys ...string) (object, error) {
	o, err := c.body()
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, k := range keys {
		if _, ok := o[k]; !ok {
			missing = append(missing, "{key_missing,"+k+"}")
		}
	}
	if len(missing) > 0 {
		return nil, badRequest("[" + strings.Join(missing, ",") + "]")
	}
	return o, nil
}

// str returns a text of the object, "" if it is missing.
func str(o object, key string) (string, error) {
	switch v := o[key].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	return "", badRequest([]any{"not_string", key})
}

// boolean returns a truth value of the object, which may come as text.
func boolean(o object, key string, otherwise bool) (bool, error) {
	switch v := o[key].(type) {
	case nil:
		return otherwise, nil
	case bool:
		return v, nil
	case string:
		if b, err := strconv.ParseBool(v); err == nil && (v == "true" || v == "false") {
			return b, nil
		}
	}
	return false, badRequest([]any{"not_boolean", o[key]})
}

// number returns a whole number of the object, which may come as text.
func number(o object, key string, otherwise int) (int, error) {
	var digits string
	switch v := o[key].(type) {
	case nil:
		return otherwise, nil
	case json.Number:
		digits = v.String()
	case string:
		digits = v
	}
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0, badRequest([]any{"not_integer", o[key]})
	}
	return n, nil
}

// mayVisit says whether the user may enter a virtual host.
func (s *Server) mayVisit(user, vhost string) (bool, error) {
	_, err := s.broker.Definitions().Permission(vhost, user)
	if errors.Is(err, definitions.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// permission returns what the user may do in the call's virtual host.
func (s *Server) permission(c *call) (definitions.Access, error) {
	p, err := s.broker.Definitions().Permission(c.vhost.Name(), c.user.Name)
	if errors.Is(err, definitions.ErrNotFound) {
		return definitions.Access{}, notAuthorised("User not authorised to access virtual host")
	}
	if err != nil {
		return definitions.Access{}, err
	}
	return p.Access()
}

// allow checks one of the three permissions, as a method by AMQP would.
func (s *Server) allow(c *call, may func(definitions.Access, string) bool, names ...string) error {
	a, err := s.permission(c)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == "" {
			name = "amq.default"
		}
		if !may(a, name) {
			return notAuthorised("Access refused.")
		}
	}
	return nil
}

func (c *call) has(tags ...string) bool {
	return slices.ContainsFunc(c.user.Tags, func(t string) bool { return slices.Contains(tags, t) })
}

// answer writes what a handler returned.
func answer(w http.ResponseWriter, r *http.Request, v any) {
	switch v := v.(type) {
	case nil:
		w.WriteHeader(http.StatusNoContent)
		return
	case created:
		if v.location != "" {
			w.Header().Set("Location", v.location)
		}
		w.WriteHeader(http.StatusCreated)
		return
	case text:
		w.Header().Set("Content-Type", v.contentType)
		fmt.Fprint(w, v.body)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the client is gone
}
