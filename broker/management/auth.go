package management

import (
	"errors"
	"net"
	"net/http"
)

// level is who may call.
type level int

const (
	anyUser       level = iota // any tag of management
	monitoring                 // monitoring or administrator
	policymaking               // policymaker or administrator, in a virtual host they may enter
	administrator              // administrator
	visitor                    // who may enter the virtual host
	observer                   // who may enter the virtual host, or may monitor
)

// serve is a route's handler: it logs the user in, finds the virtual host and
// checks the level.
func (s *Server) serve(l level, do func(*call) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r}
		v, err := s.admit(c, l)
		if err == nil {
			v, err = do(c)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		if r.Method == http.MethodGet {
			v = project(v, r.URL.Query())
		}
		answer(w, r, v)
	}
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	f, ok := asFailure(err)
	if !ok {
		s.log.Error("cannot answer", "method", r.Method, "path", r.URL.Path, "err", err)
		f = &failure{http.StatusInternalServerError, "internal_server_error", "see the broker's log"}
	}
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
	}
	body := object{"error": f.name, "reason": f.reason}
	if health, ok := f.reason.(object); ok && f.name == "health" {
		body = health
	}
	writeJSON(w, f.status, body)
}

// admit fills in the user and the virtual host.
func (s *Server) admit(c *call, l level) (any, error) {
	name, password, ok := c.BasicAuth()
	if !ok {
		return nil, notAuthorised("Login failed")
	}
	if err := s.broker.Authenticate(name, password, fromLoopback(c.Request)); err != nil {
		s.log.Warn("login to management refused", "user", name, "err", err)
		return nil, notAuthorised("Login failed")
	}
	var err error
	if c.user, err = s.broker.Definitions().User(name); err != nil {
		return nil, err
	}
	if !c.has("management", "policymaker", "monitoring", "administrator") {
		return nil, notAuthorised("Not management user")
	}
	return nil, errors.Join(s.findVHost(c), s.check(c, l))
}

// findVHost looks up the virtual host of the path, if it names one.
func (s *Server) findVHost(c *call) error {
	name := c.part("vhost")
	if name == "" {
		return nil
	}
	v, ok := s.broker.VHost(name)
	if !ok {
		if c.Method == http.MethodGet || c.Method == http.MethodDelete {
			return notFound()
		}
		return &failure{http.StatusNotFound, "not_found", "vhost_not_found"}
	}
	c.vhost = v
	return nil
}

func (s *Server) check(c *call, l level) error {
	switch l {
	case monitoring:
		if !c.has("monitoring", "administrator") {
			return notAuthorised("Not monitor user")
		}
	case administrator:
		if !c.has("administrator") {
			return notAuthorised("Not administrator user")
		}
	case policymaking:
		if !c.has("policymaker", "administrator") {
			return notAuthorised("Not policymaker user")
		}
		if !c.has("administrator") {
			return s.checkVisit(c)
		}
	case visitor:
		return s.checkVisit(c)
	case observer:
		if !c.has("monitoring", "administrator") {
			return s.checkVisit(c)
		}
	}
	return nil
}

func (s *Server) checkVisit(c *call) error {
	if c.vhost == nil {
		return nil
	}
	ok, err := s.mayVisit(c.user.Name, c.vhost.Name())
	if err == nil && !ok {
		err = notAuthorised("User not authorised to access virtual host")
	}
	return err
}

func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}
