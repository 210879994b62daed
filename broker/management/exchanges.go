package management

import (
	"thump/broker/definitions"
	"thump/broker/vhost"
)

// exchangeName reads the name in a path: the default exchange has another there.
func exchangeName(name string) string {
	if name == "amq.default" {
		return ""
	}
	return name
}

func (s *Server) exchanges(c *call) (any, error) {
	seen, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, v := range seen {
		for _, x := range v.Exchanges() {
			items = append(items, s.exchangeObject(v, x))
		}
	}
	return list(c, items)
}

func (s *Server) exchangeObject(v *vhost.VHost, x vhost.ExchangeState) object {
	o := exchangeDefinition(x.ExchangeSpec)
	o["vhost"] = v.Name()
	o["policy"] = nameOrNull(x.Policy)
	o["user_who_performed_action"] = ""
	s.rates.putMessages(o, key("exchange", v.Name(), x.Name), exchangeStats(x))
	return o
}

func exchangeDefinition(x vhost.ExchangeSpec) object {
	return object{
		"name": x.Name, "type": x.Type, "durable": x.Durable, "auto_delete": x.AutoDelete,
		"internal": x.Internal, "arguments": objectOf(x.Args),
	}
}

// exchange finds the exchange that the path names.
func (s *Server) exchange(c *call) (vhost.ExchangeState, error) {
	name := exchangeName(c.part("exchange"))
	for _, x := range c.vhost.Exchanges() {
		if x.Name == name {
			return x, nil
		}
	}
	return vhost.ExchangeState{}, notFound()
}

func (s *Server) oneExchange(c *call) (any, error) {
	x, err := s.exchange(c)
	if err != nil {
		return nil, err
	}
	o := s.exchangeObject(c.vhost, x)
	o["incoming"], o["outgoing"] = []any{}, []any{}
	return o, nil
}

func (s *Server) putExchange(c *call) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	name := exchangeName(c.part("exchange"))
	if err := s.allow(c, definitions.Access.MayConfigure, name); err != nil {
		return nil, err
	}
	_, missing := s.exchange(c)
	if err := declareExchange(c.vhost, name, body); err != nil {
		return nil, err
	}
	if missing == nil {
		return nil, nil
	}
	return created{}, nil
}

func declareExchange(v *vhost.VHost, name string, o object) error {
	spec := vhost.ExchangeSpec{Name: name, Type: "direct"}
	kind, err := str(o, "type")
	if err != nil {
		return err
	}
	if kind != "" {
		spec.Type = kind
	}
	if spec.Durable, err = boolean(o, "durable", true); err != nil {
		return err
	}
	if spec.AutoDelete, err = boolean(o, "auto_delete", false); err != nil {
		return err
	}
	if spec.Internal, err = boolean(o, "internal", false); err != nil {
		return err
	}
	if spec.Args, err = tableOf(o["arguments"]); err != nil {
		return err
	}
	return v.DeclareExchange(spec)
}

func (s *Server) deleteExchange(c *call) (any, error) {
	x, err := s.exchange(c)
	if err != nil {
		return nil, err
	}
	if err := s.allow(c, definitions.Access.MayConfigure, x.Name); err != nil {
		return nil, err
	}
	return nil, c.vhost.DeleteExchange(x.Name, c.URL.Query().Get("if-unused") == "true")
}
