package dynamodbd

import "strings"

// conditionInput are the parameters of a write that say when it may happen and
// what is answered if it may not.
type conditionInput struct {
	expressionNames

	ConditionExpression                 *string
	ReturnValuesOnConditionCheckFailure string
}

// legacyInput are the parameters that conditions had before there were
// expressions.
type legacyInput struct {
	Expected            map[string]expectation
	ConditionalOperator string
}

// answerInput are the parameters of a write that say what is answered.
type answerInput struct {
	ReturnValues                string
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

// The values of ReturnValues.
const (
	returnNone       = "NONE"
	returnAllOld     = "ALL_OLD"
	returnAllNew     = "ALL_NEW"
	returnUpdatedOld = "UPDATED_OLD"
	returnUpdatedNew = "UPDATED_NEW"
)

func (in *answerInput) check(onlyOld bool) error {
	err := checkEnum("returnValues", in.ReturnValues, returnAllNew, returnUpdatedOld, returnAllOld, returnNone, returnUpdatedNew)
	if err != nil {
		return err
	}
	if onlyOld && in.ReturnValues != "" && in.ReturnValues != returnNone && in.ReturnValues != returnAllOld {
		return invalid("Return values set to invalid value")
	}
	if err := checkMetrics(in.ReturnItemCollectionMetrics); err != nil {
		return err
	}
	return checkCapacity(in.ReturnConsumedCapacity)
}

// parse reads the condition into the mutation, and an update expression if
// there is one.
func (in *conditionInput) parse(m *mutation, updateExpression *string) error {
	if err := checkEnum("returnValuesOnConditionCheckFailure", in.ReturnValuesOnConditionCheckFailure, returnAllOld, returnNone); err != nil {
		return err
	}
	m.returnOld = in.ReturnValuesOnConditionCheckFailure == returnAllOld
	sc, err := newScope(in.expressionNames, in.ConditionExpression != nil || updateExpression != nil)
	if err != nil {
		return err
	}
	if updateExpression != nil {
		if m.update, err = parseUpdate(*updateExpression, sc); err != nil {
			return err
		}
	}
	if in.ConditionExpression != nil {
		if m.condition, err = parseCondition(clauseCondition, *in.ConditionExpression, sc); err != nil {
			return err
		}
	}
	return sc.finish()
}

// parse reads the legacy condition into the mutation.
func (in *legacyInput) parse(m *mutation) error {
	condition, err := legacyCondition(in.Expected, in.ConditionalOperator)
	if condition != nil {
		m.condition = condition
	}
	return err
}

// refuseMixed refuses legacy parameters beside expressions.
func refuseMixed(legacy, expressions map[string]bool) error {
	var old, current []string
	for _, name := range sortedKeys(legacy) {
		if legacy[name] {
			old = append(old, name)
		}
	}
	for _, name := range sortedKeys(expressions) {
		if expressions[name] {
			current = append(current, name)
		}
	}
	if len(old) == 0 || len(current) == 0 {
		return nil
	}
	return invalid("Can not use both expression and non-expression parameters in the same request: "+
		"Non-expression parameters: {%s} Expression parameters: {%s}", strings.Join(old, ", "), strings.Join(current, ", "))
}

type putItemInput struct {
	conditionInput
	legacyInput
	answerInput

	TableName string
	Item      Item
}

func (s *Server) putItem(in *putItemInput) (any, error) {
	if in.Item == nil {
		return nil, errNull("item")
	}
	m := &mutation{table: in.TableName, operation: "PutItem", put: in.Item}
	return s.oldWrite(m, &in.conditionInput, &in.legacyInput, &in.answerInput)
}

type deleteItemInput struct {
	conditionInput
	legacyInput
	answerInput

	TableName string
	Key       Item
}

func (s *Server) deleteItem(in *deleteItemInput) (any, error) {
	if in.Key == nil {
		return nil, errNull("key")
	}
	m := &mutation{table: in.TableName, operation: "DeleteItem", key: in.Key, remove: true}
	return s.oldWrite(m, &in.conditionInput, &in.legacyInput, &in.answerInput)
}

func errNull(parameter string) error {
	return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", parameter)
}

// oldWrite carries out a put or delete, which can only answer with the row as
// it was.
func (s *Server) oldWrite(m *mutation, condition *conditionInput, legacy *legacyInput, answer *answerInput) (any, error) {
	if err := checkTableName("tableName", m.table); err != nil {
		return nil, err
	}
	if err := answer.check(true); err != nil {
		return nil, err
	}
	err := refuseMixed(
		map[string]bool{"Expected": legacy.Expected != nil, "ConditionalOperator": legacy.ConditionalOperator != ""},
		map[string]bool{clauseCondition: condition.ConditionExpression != nil})
	if err != nil {
		return nil, err
	}
	if err := condition.parse(m, nil); err != nil {
		return nil, err
	}
	if err := legacy.parse(m); err != nil {
		return nil, err
	}
	w, err := s.mutate(m)
	if err != nil {
		return nil, err
	}
	out := writeOutput{ConsumedCapacity: consumed(answer.ReturnConsumedCapacity, m.table, w.units)}
	if answer.ReturnValues == returnAllOld {
		out.Attributes = w.old
	}
	return out, nil
}

type writeOutput struct {
	Attributes       Item         `json:"Attributes,omitempty"`
	ConsumedCapacity *consumption `json:"ConsumedCapacity,omitempty"`
}

type updateItemInput struct {
	conditionInput
	legacyInput
	answerInput

	TableName        string
	Key              Item
	UpdateExpression *string
	AttributeUpdates map[string]attributeUpdate
}

func (s *Server) updateItem(in *updateItemInput) (any, error) {
	m, err := in.mutation()
	if err != nil {
		return nil, err
	}
	w, err := s.mutate(m)
	if err != nil {
		return nil, err
	}
	return writeOutput{
		Attributes:       m.update.returned(in.ReturnValues, w),
		ConsumedCapacity: consumed(in.ReturnConsumedCapacity, m.table, w.units),
	}, nil
}

func (in *updateItemInput) mutation() (*mutation, error) {
	if err := checkTableName("tableName", in.TableName); err != nil {
		return nil, err
	}
	if in.Key == nil {
		return nil, errNull("key")
	}
	if err := in.check(false); err != nil {
		return nil, err
	}
	err := refuseMixed(map[string]bool{
		"Expected":            in.Expected != nil,
		"ConditionalOperator": in.ConditionalOperator != "",
		"AttributeUpdates":    in.AttributeUpdates != nil,
	}, map[string]bool{clauseCondition: in.ConditionExpression != nil, clauseUpdate: in.UpdateExpression != nil})
	if err != nil {
		return nil, err
	}
	m := &mutation{table: in.TableName, operation: "UpdateItem", key: in.Key}
	if err := in.conditionInput.parse(m, in.UpdateExpression); err != nil {
		return nil, err
	}
	if err := in.legacyInput.parse(m); err != nil {
		return nil, err
	}
	if in.AttributeUpdates != nil {
		if m.update, err = legacyUpdate(in.AttributeUpdates); err != nil {
			return nil, err
		}
	}
	if m.update == nil {
		m.update = update{} // an update of nothing still makes the row
	}
	return m, nil
}

// returned gives what ReturnValues asks for.
func (u update) returned(asked string, w written) Item {
	switch asked {
	case returnAllOld:
		return w.old
	case returnAllNew:
		return w.next
	case returnUpdatedOld:
		return project(w.old, u.paths())
	case returnUpdatedNew:
		return project(w.next, u.paths())
	}
	return nil
}
