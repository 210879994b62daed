package management

import (
	"strings"

	"thump/broker/definitions"
	"thump/broker/vhost"
)

// exportAll is what rabbitmqadmin and rabbitmqctl call definitions: everything but
// messages.
func (s *Server) exportAll(*call) (any, error) {
	o := object{
		"rabbit_version": productVersion, "rabbitmq_version": productVersion,
		"product_name": "RabbitMQ", "product_version": productVersion,
	}
	users, err := s.broker.Definitions().Users()
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, u := range users {
		list = append(list, s.userObject(u))
	}
	o["users"] = list
	permissions, err := s.allPermissions()
	if err != nil {
		return nil, err
	}
	o["permissions"] = orEmpty(permissions)
	topics, err := s.allTopicPermissions()
	if err != nil {
		return nil, err
	}
	o["topic_permissions"] = orEmpty(topics)
	o["global_parameters"] = []object{{"name": "cluster_name", "value": s.broker.Config().ClusterName}}
	vhosts := []object{}
	for _, v := range s.broker.VHosts() {
		vhosts = append(vhosts, object{"name": v.Name()})
	}
	o["vhosts"] = vhosts
	return o, s.exportTopology(o, s.broker.VHosts(), true)
}

func (s *Server) exportVHost(c *call) (any, error) {
	o := object{"rabbit_version": productVersion}
	return o, s.exportTopology(o, []*vhost.VHost{c.vhost}, false)
}

// exportTopology adds what is in virtual hosts, with their names if named.
func (s *Server) exportTopology(o object, vhosts []*vhost.VHost, named bool) error {
	queues, exchanges, bindings := []object{}, []object{}, []object{}
	policies, parameters := []object{}, []object{}
	for _, v := range vhosts {
		add := func(list *[]object, d object) {
			if named {
				d["vhost"] = v.Name()
			}
			*list = append(*list, d)
		}
		exclusive := map[string]bool{}
		for _, q := range v.Queues() {
			exclusive[q.Name] = q.Exclusive
			if !q.Exclusive {
				add(&queues, queueDefinition(q.QueueSpec))
			}
		}
		for _, x := range v.Exchanges() {
			if x.Name != "" && !strings.HasPrefix(x.Name, "amq.") {
				add(&exchanges, exchangeDefinition(x.ExchangeSpec))
			}
		}
		for _, b := range v.Bindings() {
			if b.Source != "" && (b.ToExchange || !exclusive[b.Destination]) {
				add(&bindings, bindingDefinition(b))
			}
		}
		some, err := s.policiesIn(v.Name(), false)
		if err != nil {
			return err
		}
		policies = append(policies, some...)
		if some, err = s.parametersIn(v.Name()); err != nil {
			return err
		}
		parameters = append(parameters, some...)
	}
	o["queues"], o["exchanges"], o["bindings"] = queues, exchanges, bindings
	o["policies"], o["parameters"] = policies, parameters
	return nil
}

func orEmpty(list []object) []object {
	if list == nil {
		return []object{}
	}
	return list
}

func (s *Server) importAll(c *call) (any, error) { return s.importInto(c, nil) }

func (s *Server) importVHost(c *call) (any, error) { return s.importInto(c, c.vhost) }

// importInto creates what the body lists: in one virtual host, or wherever each
// says. What exists stays, and must be equivalent.
func (s *Server) importInto(c *call, into *vhost.VHost) (any, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	i := importer{server: s, call: c, into: into}
	if into == nil {
		for _, o := range objects(body, "users") {
			i.do(func() error { return s.storeUser(i.text(o, "name"), o) })
		}
		for _, o := range objects(body, "vhosts") {
			i.do(func() error {
				return s.createVHost(c, i.text(o, "name"))
			})
		}
		for _, o := range objects(body, "permissions") {
			i.do(func() error { return s.storePermission(i.text(o, "vhost"), i.text(o, "user"), o) })
		}
		for _, o := range objects(body, "topic_permissions") {
			i.do(func() error { return s.storeTopicPermission(i.text(o, "vhost"), i.text(o, "user"), o) })
		}
	}
	i.topology(body)
	return nil, i.err
}

// importer keeps the first error.
type importer struct {
	server *Server
	call   *call
	into   *vhost.VHost
	err    error
}

func (i *importer) do(step func() error) {
	if i.err == nil {
		i.err = step()
	}
}

// text reads a key of an object; its error is kept.
func (i *importer) text(o object, key string) string {
	s, err := str(o, key)
	if i.err == nil {
		i.err = err
	}
	return s
}

// topology creates what is in virtual hosts, in the order of dependence.
func (i *importer) topology(body object) {
	for _, o := range objects(body, "exchanges") {
		i.in(o, func(v *vhost.VHost) error { return declareExchange(v, i.text(o, "name"), o) })
	}
	for _, o := range objects(body, "queues") {
		i.in(o, func(v *vhost.VHost) error { return declareQueue(v, i.text(o, "name"), o) })
	}
	for _, o := range objects(body, "bindings") {
		i.in(o, func(v *vhost.VHost) error {
			args, err := tableOf(o["arguments"])
			if err != nil {
				return err
			}
			return bind(v, vhost.BindingSpec{
				Source: i.text(o, "source"), Destination: i.text(o, "destination"), Key: i.text(o, "routing_key"),
				ToExchange: o["destination_type"] == "exchange", Args: args,
			})
		})
	}
	for _, o := range objects(body, "policies") {
		i.in(o, func(v *vhost.VHost) error { return i.server.storePolicy(v.Name(), i.text(o, "name"), o, false) })
	}
	for _, o := range objects(body, "parameters") {
		i.in(o, func(v *vhost.VHost) error { return i.server.storeParameter(v.Name(), o) })
	}
}

// in runs a step in the virtual host of an object.
func (i *importer) in(o object, step func(*vhost.VHost) error) {
	v := i.into
	if v == nil {
		v, _ = i.server.broker.VHost(i.text(o, "vhost"))
	}
	i.do(func() error {
		if v == nil {
			return badRequest("vhost_not_found")
		}
		return step(v)
	})
}

func objects(o object, key string) []object {
	var kept []object
	items, _ := o[key].([]any)
	for _, item := range items {
		if x, ok := item.(object); ok {
			kept = append(kept, x)
		}
	}
	return kept
}

// createVHost opens a virtual host if there is none, and lets in who asked.
func (s *Server) createVHost(c *call, name string) error {
	if _, exists := s.broker.VHost(name); exists {
		return nil
	}
	if err := s.broker.CreateVHost(name); err != nil {
		return err
	}
	all := definitions.Permission{User: c.user.Name, Configure: ".*", Write: ".*", Read: ".*"}
	return s.broker.Definitions().SetPermission(name, all)
}
