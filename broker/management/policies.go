package management

import (
	"encoding/json"
	"errors"
	"html"
	"slices"

	"thump/broker/definitions"
	"thump/broker/vhost"
)

func policyObject(vhostName string, p vhost.Policy) object {
	return object{
		"vhost": vhostName, "name": p.Name, "pattern": p.Pattern, "apply-to": applyTo(p), "priority": p.Priority,
		"definition": p.Definition,
	}
}

func applyTo(p vhost.Policy) string {
	if p.ApplyTo == "" {
		return "all"
	}
	return p.ApplyTo
}

// policiesIn lists the policies, or the operator policies, of a virtual host.
func (s *Server) policiesIn(vhostName string, operator bool) ([]object, error) {
	list, err := s.broker.Definitions().Policies(vhostName, operator)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, p := range list {
		items = append(items, policyObject(vhostName, p))
	}
	return items, nil
}

func (s *Server) policies(operator bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		seen, err := s.visible(c)
		if err != nil {
			return nil, err
		}
		var items []object
		for _, v := range seen {
			some, err := s.policiesIn(v.Name(), operator)
			if err != nil {
				return nil, err
			}
			items = append(items, some...)
		}
		return list(c, items)
	}
}

func (s *Server) onePolicy(operator bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		items, err := s.policiesIn(c.vhost.Name(), operator)
		if err != nil {
			return nil, err
		}
		for _, o := range items {
			if o["name"] == c.part("name") {
				return o, nil
			}
		}
		return nil, notFound()
	}
}

func (s *Server) putPolicy(operator bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		body, err := c.require("pattern", "definition")
		if err != nil {
			return nil, err
		}
		_, missing := s.onePolicy(operator)(c)
		if err := s.storePolicy(c.vhost.Name(), c.part("name"), body, operator); err != nil {
			return nil, err
		}
		if missing == nil {
			return nil, nil
		}
		return created{}, nil
	}
}

func (s *Server) storePolicy(vhostName, name string, o object, operator bool) error {
	p := vhost.Policy{Name: name}
	var err error
	if p.Pattern, err = str(o, "pattern"); err != nil {
		return err
	}
	if p.ApplyTo, err = str(o, "apply-to"); err != nil {
		return err
	}
	priority, err := number(o, "priority", 0)
	if err != nil {
		return err
	}
	p.Priority = int64(priority)
	definition, ok := o["definition"].(object)
	if !ok {
		return badRequest("definition is no object")
	}
	p.Definition = plain(definition).(object)
	if err := p.Validate(operator); err != nil {
		return badRequest("Validation failed\n\n" + html.EscapeString(err.Error()) + "\n")
	}
	return s.broker.Definitions().PutPolicy(vhostName, operator, p)
}

// plain turns the numbers of a decoded object into float64, as policies hold them.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64() // the decoder has checked its form
		return f
	case object:
		o := object{}
		for k, x := range v {
			o[k] = plain(x)
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = plain(x)
		}
		return list
	}
	return v
}

func (s *Server) deletePolicy(operator bool) func(*call) (any, error) {
	return func(c *call) (any, error) {
		return nil, s.broker.Definitions().DeletePolicy(c.vhost.Name(), operator, c.part("name"))
	}
}

// governed are the policies of a virtual host, for showing what applies to its
// queues.
type governed struct{ user, operator []vhost.Policy }

func (s *Server) governedIn(v *vhost.VHost) (g governed, err error) {
	var failed error
	g.user, err = s.broker.Definitions().Policies(v.Name(), false)
	g.operator, failed = s.broker.Definitions().Policies(v.Name(), true)
	return g, errors.Join(err, failed)
}

// put writes which policies apply to a queue, and what they amount to.
func (g governed) put(o object, q vhost.QueueState) {
	o["policy"], o["operator_policy"] = nameOrNull(q.Policy), nameOrNull(q.OperatorPolicy)
	effective := object{}
	for k, v := range definitionOf(g.user, q.Policy) {
		effective[k] = v
	}
	for k, v := range definitionOf(g.operator, q.OperatorPolicy) {
		if own, given := effective[k]; !given || compare(v, own) < 0 {
			effective[k] = v // an operator can only tighten
		}
	}
	o["effective_policy_definition"] = effective
}

func definitionOf(list []vhost.Policy, name string) map[string]any {
	i := slices.IndexFunc(list, func(p vhost.Policy) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return list[i].Definition
}

func nameOrNull(name string) any {
	if name == "" {
		return nil
	}
	return name
}

// topicPermissionsIn lists those of a virtual host.
func (s *Server) topicPermissionsIn(vhostName string) ([]object, error) {
	list, err := s.broker.Definitions().TopicPermissions(vhostName)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, p := range list {
		items = append(items, object{
			"user": p.User, "vhost": vhostName, "exchange": p.Exchange, "write": p.Write, "read": p.Read,
		})
	}
	return items, nil
}

func (s *Server) allTopicPermissions() ([]object, error) {
	var items []object
	for _, v := range s.broker.VHosts() {
		some, err := s.topicPermissionsIn(v.Name())
		if err != nil {
			return nil, err
		}
		items = append(items, some...)
	}
	return items, nil
}

func (s *Server) topicPermissions(c *call) (any, error) {
	all, err := s.allTopicPermissions()
	if err != nil {
		return nil, err
	}
	items, err := s.ofPath(c, all)
	if err != nil {
		return nil, err
	}
	if c.vhost != nil && c.part("user") != "" && len(items) == 0 {
		return nil, notFound()
	}
	return list(c, items)
}

func (s *Server) putTopicPermission(c *call) (any, error) {
	body, err := c.require("exchange", "write", "read")
	if err != nil {
		return nil, err
	}
	_, missing := s.topicPermissions(c)
	if err := s.storeTopicPermission(c.vhost.Name(), c.part("user"), body); err != nil {
		return nil, err
	}
	if missing == nil {
		return nil, nil
	}
	return created{}, nil
}

func (s *Server) storeTopicPermission(vhostName, user string, o object) error {
	p := definitions.TopicPermission{User: user}
	var err error
	if p.Exchange, err = str(o, "exchange"); err != nil {
		return err
	}
	if p.Write, err = expression(o, "write"); err != nil {
		return err
	}
	if p.Read, err = expression(o, "read"); err != nil {
		return err
	}
	err = s.broker.Definitions().SetTopicPermission(vhostName, p)
	if errors.Is(err, definitions.ErrNotFound) {
		return badRequest("vhost_or_user_not_found")
	}
	return err
}

func (s *Server) deleteTopicPermission(c *call) (any, error) {
	if _, err := s.topicPermissions(c); err != nil {
		return nil, err
	}
	return nil, s.broker.Definitions().ClearTopicPermission(c.vhost.Name(), c.part("user"), c.part("exchange"))
}
