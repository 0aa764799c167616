"""What `nightschool init` writes: a file that works as it is, and shows what else there is."""

TEMPLATE = """\
# nightschool.yaml: all keys are explained in docs/configuration.md.
# `nightschool check` shows what is in force; a running proxy takes over changes of this file by itself.

listen: 127.0.0.1:8080              # applications use http://127.0.0.1:8080/v1 as their base URL
data: ./nightschool-data            # a folder for everything recorded, relative to this file

upstreams:
  openai:
    base_url: https://api.openai.com/v1
    # api_key: ${OPENAI_API_KEY}    # left out: each caller's own key passes through and is never stored
  # azure-eu:
  #   base_url: https://my-resource.openai.azure.com
  #   kind: azure
  #   api_version: "2024-10-21"
  #   api_key: ${AZURE_OPENAI_KEY}

default_upstream: openai

# prices:                           # USD per million tokens; a model that is not listed has no cost, not a guessed one
#   my-model: {input: 2.50, cached_input: 1.25, output: 10.00}

record:
  bodies: full                      # full | metadata | off
  # redact:                         # applied before anything reaches the disk
  #   - {pattern: "sk-[A-Za-z0-9_-]{20,}", with: "[key]"}

# workloads:                        # the first that matches wins; the rest is recorded all the same
#   support-triage:
#     when: {system_prompt: "^You triage support tickets", model: "*"}
#     teacher: openai
"""
