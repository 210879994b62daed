package management

import (
	"encoding/json"

	"thump/broker/vhost"
)

// The components whose parameters this broker knows, by RabbitMQ's names.
const (
	componentLimits   = "vhost-limits"
	componentOperator = "operator_policy"
)

func limitsObject(l vhost.Limits) object {
	o := object{}
	if l.MaxConnections != nil {
		o["max-connections"] = *l.MaxConnections
	}
	if l.MaxQueues != nil {
		o["max-queues"] = *l.MaxQueues
	}
	return o
}

func (s *Server) vhostLimits(c *call) (any, error) {
	seen, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, v := range seen {
		l, err := s.broker.Definitions().Limits(v.Name())
		if err != nil {
			return nil, err
		}
		if o := limitsObject(l); len(o) > 0 {
			items = append(items, object{"vhost": v.Name(), "value": o})
		}
	}
	return list(c, items)
}

func (s *Server) putVHostLimit(c *call) (any, error) {
	body, err := c.require("value")
	if err != nil {
		return nil, err
	}
	n, err := number(body, "value", -1)
	if err != nil {
		return nil, err
	}
	return nil, s.setLimit(c.vhost.Name(), c.part("limit"), &n)
}

func (s *Server) deleteVHostLimit(c *call) (any, error) {
	return nil, s.setLimit(c.vhost.Name(), c.part("limit"), nil)
}

func (s *Server) setLimit(vhostName, name string, value *int) error {
	l, err := s.broker.Definitions().Limits(vhostName)
	if err != nil {
		return err
	}
	switch name {
	case "max-connections":
		l.MaxConnections = value
	case "max-queues":
		l.MaxQueues = value
	default:
		return badRequest("Unrecognised limit " + name)
	}
	return s.broker.Definitions().SetLimits(vhostName, l)
}

// parametersIn lists the parameters of a virtual host: operator policies and
// limits are also seen as such.
func (s *Server) parametersIn(vhostName string) ([]object, error) {
	var items []object
	policies, err := s.broker.Definitions().Policies(vhostName, true)
	if err != nil {
		return nil, err
	}
	for _, p := range policies {
		items = append(items, object{"vhost": vhostName, "component": componentOperator, "name": p.Name, "value": object{
			"pattern": p.Pattern, "definition": p.Definition, "priority": p.Priority, "apply-to": applyTo(p),
		}})
	}
	l, err := s.broker.Definitions().Limits(vhostName)
	if err != nil {
		return nil, err
	}
	if o := limitsObject(l); len(o) > 0 {
		items = append(items, object{"vhost": vhostName, "component": componentLimits, "name": "limits", "value": o})
	}
	return items, nil
}

func (s *Server) parameters(c *call) (any, error) {
	seen, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	component := c.part("component")
	var items []object
	for _, v := range seen {
		some, err := s.parametersIn(v.Name())
		if err != nil {
			return nil, err
		}
		for _, o := range some {
			if component == "" || o["component"] == component {
				items = append(items, o)
			}
		}
	}
	return list(c, items)
}

func (s *Server) oneParameter(c *call) (any, error) {
	items, err := s.parametersIn(c.vhost.Name())
	if err != nil {
		return nil, err
	}
	for _, o := range items {
		if o["component"] == c.part("component") && o["name"] == c.part("name") {
			return o, nil
		}
	}
	return nil, notFound()
}

// storeParameter takes what an export wrote.
func (s *Server) storeParameter(vhostName string, o object) error {
	value, _ := o["value"].(object)
	switch o["component"] {
	case componentOperator:
		name, err := str(o, "name")
		if err != nil {
			return err
		}
		return s.storePolicy(vhostName, name, value, true)
	case componentLimits:
		text, err := json.Marshal(plain(value))
		if err != nil {
			return err
		}
		var l vhost.Limits
		if err := json.Unmarshal(text, &l); err != nil {
			return badRequest("limits are no numbers")
		}
		return s.broker.Definitions().SetLimits(vhostName, l)
	}
	return badRequest([]any{"component not found", o["component"]})
}

func (s *Server) putParameter(c *call) (any, error) {
	body, err := c.require("value")
	if err != nil {
		return nil, err
	}
	body["component"], body["name"] = c.part("component"), c.part("name")
	_, missing := s.oneParameter(c)
	if err := s.storeParameter(c.vhost.Name(), body); err != nil {
		return nil, err
	}
	if missing == nil {
		return nil, nil
	}
	return created{}, nil
}

func (s *Server) deleteParameter(c *call) (any, error) {
	if _, err := s.oneParameter(c); err != nil {
		return nil, err
	}
	if c.part("component") == componentOperator {
		return nil, s.broker.Definitions().DeletePolicy(c.vhost.Name(), true, c.part("name"))
	}
	return nil, s.broker.Definitions().SetLimits(c.vhost.Name(), vhost.Limits{})
}

func (s *Server) globalParameters(c *call) (any, error) {
	return list(c, []object{{"name": "cluster_name", "value": s.broker.Config().ClusterName}})
}
