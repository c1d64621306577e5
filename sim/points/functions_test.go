package points_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

const (
	functionsPath = "/2015-03-31/functions/"
	functionARN   = "arn:aws:lambda:us-east-1:000000000000:function:same"
)

// invocation is the request of a batch, as far as it is looked at.
type invocation struct {
	Records []struct {
		RecordID string `json:"recordId"`
		Data     string `json:"data"`
		Kinesis  struct {
			ShardID string `json:"shardId"`
		} `json:"kinesisRecordMetadata"`
	} `json:"records"`
}

func readInvocation(data []byte) (request, error) {
	var in invocation
	err := json.Unmarshal(data, &in)
	if err == nil && len(in.Records) == 0 {
		err = fmt.Errorf("an invocation without records: %.200s", data)
	}
	if err != nil {
		return request{}, err
	}
	return request{point: invoke, shard: in.Records[0].Kinesis.ShardID}, nil
}

// serve answers a request: the function leaves each record as it is.
func (w *world) serve(p point, r *http.Request, data []byte) (*http.Response, error) {
	if p == bulk {
		return w.askCluster(r)
	}
	if p != invoke {
		return w.stack.AWSConfig().HTTPClient.Do(r)
	}
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	var body []byte
	if r.Header.Get(refuseHeader) != "" {
		answer.StatusCode = http.StatusTooManyRequests
		answer.Header.Set("X-Amzn-Errortype", "TooManyRequestsException")
		body = []byte(`{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","message":"Rate Exceeded."}`)
	} else {
		var in invocation
		if err := json.Unmarshal(data, &in); err != nil {
			return nil, err
		}
		results := make([]map[string]string, 0, len(in.Records))
		for _, r := range in.Records {
			results = append(results, map[string]string{"recordId": r.RecordID, "result": "Ok", "data": r.Data})
		}
		var err error
		if body, err = json.Marshal(map[string]any{"records": results}); err != nil {
			return nil, err
		}
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}
