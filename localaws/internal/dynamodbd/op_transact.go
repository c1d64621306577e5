package dynamodbd

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

const (
	maxTransactActions = 100
	maxTransactBytes   = 4 << 20 // of all rows
	tokenLife          = 10 * time.Minute
)

func errTwice() error {
	return invalid("Transaction request cannot include multiple operations on one item")
}

// checkSizes refuses rows that are too large for one transaction.
func checkSizes(rows []Item) error {
	sum := 0
	for _, row := range rows {
		sum += row.size()
	}
	if sum > maxTransactBytes {
		return invalid("Transaction request cannot exceed 4MB: the aggregate size of its items is %d bytes", sum)
	}
	return nil
}

// transactionToken remembers a transaction by its ClientRequestToken, so that
// repeating it does nothing.
type transactionToken struct {
	request []byte // canonical
	at      time.Time
}

// transactAction is one action of TransactWriteItems; exactly one member is
// set.
type transactAction struct {
	Put *struct {
		conditionInput

		TableName string
		Item      Item
	}
	Update *struct {
		conditionInput

		TableName        string
		Key              Item
		UpdateExpression *string
	}
	Delete         *keyedAction
	ConditionCheck *keyedAction
}

type keyedAction struct {
	conditionInput

	TableName string
	Key       Item
}

func (a *transactAction) mutation() (*mutation, error) {
	m := &mutation{operation: "TransactWriteItems"}
	var condition *conditionInput
	var expression *string
	set := 0
	if a.Put != nil {
		set++
		m.table, m.put, condition = a.Put.TableName, a.Put.Item, &a.Put.conditionInput
	}
	if a.Update != nil {
		set++
		m.table, m.key, condition = a.Update.TableName, a.Update.Key, &a.Update.conditionInput
		if expression = a.Update.UpdateExpression; expression == nil {
			return nil, errNull("transactItems.member.update.updateExpression")
		}
	}
	if a.Delete != nil {
		set++
		m.table, m.key, m.remove, condition = a.Delete.TableName, a.Delete.Key, true, &a.Delete.conditionInput
	}
	if c := a.ConditionCheck; c != nil {
		set++
		m.table, m.key, condition = c.TableName, c.Key, &c.conditionInput
		if c.ConditionExpression == nil {
			return nil, errNull("transactItems.member.conditionCheck.conditionExpression")
		}
	}
	switch {
	case set != 1:
		return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	case m.put == nil && m.key == nil:
		return nil, errNull("transactItems.member.key")
	}
	if err := checkTableName("transactItems.member.tableName", m.table); err != nil {
		return nil, err
	}
	return m, condition.parse(m, expression)
}

type transactWriteInput struct {
	TransactItems               []transactAction
	ClientRequestToken          string
	ReturnConsumedCapacity      string
	ReturnItemCollectionMetrics string
}

type transactWriteOutput struct {
	ConsumedCapacity []consumption `json:"ConsumedCapacity,omitempty"`
}

func (s *Server) transactWriteItems(body []byte) (any, error) {
	var in transactWriteInput
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	mutations, err := in.mutations()
	if err != nil {
		return nil, err
	}
	units, err := s.transact(canonical(body), in.ClientRequestToken, mutations)
	s.tell()
	if err != nil {
		return nil, err
	}
	return transactWriteOutput{consumedByTable(in.ReturnConsumedCapacity, units)}, nil
}

// canonical is a request with its members in one order, so that equal requests
// have equal bytes.
func canonical(body []byte) []byte {
	var request any
	if json.Unmarshal(body, &request) != nil {
		return body
	}
	ordered, err := json.Marshal(request)
	if err != nil {
		return body
	}
	return ordered
}

func checkActions(n int) error {
	if n < 1 || n > maxTransactActions {
		return invalid("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "+
			"Member must have length between 1 and %d", maxTransactActions)
	}
	return nil
}

func (in *transactWriteInput) mutations() ([]*mutation, error) {
	if err := checkActions(len(in.TransactItems)); err != nil {
		return nil, err
	}
	if err := checkCapacity(in.ReturnConsumedCapacity); err != nil {
		return nil, err
	}
	if err := checkMetrics(in.ReturnItemCollectionMetrics); err != nil {
		return nil, err
	}
	if len(in.ClientRequestToken) > 36 {
		return nil, invalid("1 validation error detected: Value '%s' at 'clientRequestToken' failed to satisfy constraint: "+
			"Member must have length less than or equal to 36", in.ClientRequestToken)
	}
	mutations := make([]*mutation, len(in.TransactItems))
	for i := range in.TransactItems {
		m, err := in.TransactItems[i].mutation()
		if err != nil {
			return nil, err
		}
		mutations[i] = m
	}
	return mutations, nil
}

// transact carries out all mutations or none. It returns the units by table.
func (s *Server) transact(request []byte, token string, mutations []*mutation) (map[string]float64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	repeated, err := s.repeated(now, token, request)
	if err != nil {
		return nil, err
	}
	targets, err := s.targets(mutations, errTwice())
	if err != nil {
		return nil, err
	}
	units := map[string]float64{}
	if repeated {
		for i, m := range mutations {
			units[m.table] += 2 * readUnits(targets[i].table.rows.get(targets[i].place).size(), true)
		}
		return units, nil
	}
	next, err := evaluate(mutations, targets)
	if err != nil {
		return nil, err
	}
	if err := checkSizes(next); err != nil {
		return nil, err
	}
	for i, m := range mutations {
		if m.isCheck() {
			units[m.table] += 2 * writeUnits(next[i].size())
			continue
		}
		units[m.table] += 2 * s.commit(now, targets[i].table, m.operation, targets[i].place, next[i]).units
	}
	if token != "" {
		s.tokens[token] = transactionToken{request, now}
	}
	return units, nil
}

// isCheck says that the mutation writes nothing.
func (m *mutation) isCheck() bool { return m.put == nil && m.update == nil && !m.remove }

// evaluate gives the rows that the mutations would leave, or the cancellation
// with a reason for each of them.
func evaluate(mutations []*mutation, targets []target) ([]Item, error) {
	next := make([]Item, len(mutations))
	reasons := make([]cancellationReason, len(mutations))
	cancelled := false
	for i, m := range mutations {
		it, err := m.next(targets[i].table, targets[i].table.rows.get(targets[i].place))
		next[i], reasons[i] = it, reasonFor(err)
		cancelled = cancelled || err != nil
	}
	if !cancelled {
		return next, nil
	}
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	e := refuse(codeCancelled, "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", "))
	e.reasons = reasons
	return nil, e
}

func reasonFor(err error) cancellationReason {
	if err == nil {
		return cancellationReason{Code: "None"}
	}
	e := asAPIError(err)
	code := "ValidationError"
	if e.code == codeConditional {
		code = "ConditionalCheckFailed"
	}
	return cancellationReason{Code: code, Message: e.message, Item: e.item}
}

// repeated says whether the transaction with this token was already carried
// out. It is called under the lock.
func (s *Server) repeated(now time.Time, token string, request []byte) (bool, error) {
	for t, seen := range s.tokens {
		if now.Sub(seen.at) > tokenLife {
			delete(s.tokens, t)
		}
	}
	seen, ok := s.tokens[token]
	if !ok || token == "" {
		return false, nil
	}
	if !bytes.Equal(seen.request, request) {
		return false, refuse(codeMismatch,
			"The request uses the same client token as a previous, but non-identical request.")
	}
	return true, nil
}

type transactGetInput struct {
	TransactItems          []struct{ Get *getInput }
	ReturnConsumedCapacity string
}

type transactGetOutput struct {
	Responses        []itemOutput
	ConsumedCapacity []consumption `json:"ConsumedCapacity,omitempty"`
}

func (s *Server) transactGetItems(in *transactGetInput) (any, error) {
	if err := checkActions(len(in.TransactItems)); err != nil {
		return nil, err
	}
	if err := checkCapacity(in.ReturnConsumedCapacity); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := transactGetOutput{Responses: make([]itemOutput, len(in.TransactItems))}
	rows := make([]Item, len(in.TransactItems))
	units := map[string]float64{}
	for i, action := range in.TransactItems {
		if action.Get == nil {
			return nil, errNull("transactItems.member.get")
		}
		paths, err := action.Get.parse()
		if err != nil {
			return nil, err
		}
		if rows[i], err = s.read(action.Get.TableName, action.Get.Key, true); err != nil {
			return nil, err
		}
		out.Responses[i].Item = answered(rows[i], paths)
		units[action.Get.TableName] += 2 * readUnits(rows[i].size(), true)
	}
	if err := s.checkKeysOnce(in); err != nil {
		return nil, err
	}
	if err := checkSizes(rows); err != nil {
		return nil, err
	}
	out.ConsumedCapacity = consumedByTable(in.ReturnConsumedCapacity, units)
	return out, nil
}

// checkKeysOnce refuses a row that is read twice. The keys were checked. It is
// called under the lock.
func (s *Server) checkKeysOnce(in *transactGetInput) error {
	mutations := make([]*mutation, len(in.TransactItems))
	for i, action := range in.TransactItems {
		mutations[i] = &mutation{table: action.Get.TableName, key: action.Get.Key}
	}
	_, err := s.targets(mutations, errTwice())
	return err
}
