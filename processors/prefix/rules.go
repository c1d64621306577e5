package prefix

import "strings"

// brokenRule returns Firehose's text for a rule that the expressions of a
// prefix break whatever else is configured, or "".
func brokenRule(s string, k Kind) string {
	for _, part := range strings.Split(s, "!{")[1:] {
		inner, _, closed := strings.Cut(part, "}")
		namespace, value, ok := strings.Cut(inner, ":")
		if !closed || !ok {
			return "Invalid expression usage: " + s + ".Must be of the form !{<namespace>:<value>}"
		}
		if rule := namespaceRule(namespace, value, k); rule != "" {
			return rule
		}
	}
	if k == Errors && !strings.Contains(s, "!{firehose:error-output-type}") {
		return "ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}"
	}
	return ""
}

func namespaceRule(namespace, value string, k Kind) string {
	switch namespace {
	case "timestamp":
	case "firehose":
		if value == "error-output-type" && k != Errors {
			return "Prefix must not contain any occurrence of !{firehose:error-output-type}"
		}
	case "partitionKeyFromQuery", "partitionKeyFromLambda":
		if k == Errors {
			return "Dynamic Partitioning Namespaces can't be part of an error prefix expression"
		}
	default:
		return "Namespace to the left of colon (" + namespace + ") is an invalid keyword!"
	}
	return ""
}
