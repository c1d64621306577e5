package dynamodbd

type timeToLive struct {
	AttributeName string
	Enabled       *bool
}

func (s *Server) describeTimeToLive(t *table) (any, error) {
	description := map[string]string{"TimeToLiveStatus": "DISABLED"}
	if t.ttl != "" {
		description = map[string]string{"TimeToLiveStatus": "ENABLED", "AttributeName": t.ttl}
	}
	return map[string]any{"TimeToLiveDescription": description}, nil
}

type updateTimeToLiveInput struct {
	TableName               string
	TimeToLiveSpecification *timeToLive
}

func (s *Server) updateTimeToLive(in *updateTimeToLiveInput) (any, error) {
	if err := checkTableName("tableName", in.TableName); err != nil {
		return nil, err
	}
	spec := in.TimeToLiveSpecification
	if spec == nil || spec.Enabled == nil || spec.AttributeName == "" {
		return nil, invalid("1 validation error detected: Value null at 'timeToLiveSpecification' failed to satisfy constraint: Member must not be null")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.usable(in.TableName)
	switch {
	case err != nil:
		return nil, err
	case *spec.Enabled && t.ttl == spec.AttributeName:
		return nil, invalid("TimeToLive is already enabled")
	case !*spec.Enabled && t.ttl == "":
		return nil, invalid("TimeToLive is already disabled")
	case t.ttl != "" && t.ttl != spec.AttributeName:
		return nil, invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", t.ttl)
	case *spec.Enabled:
		t.ttl = spec.AttributeName
	default:
		t.ttl = ""
	}
	return map[string]any{"TimeToLiveSpecification": spec}, nil
}
