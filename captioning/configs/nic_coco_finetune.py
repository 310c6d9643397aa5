"""NIC whose encoder learns too: the inputs are photos, the encoder learns at a hundredth of the LSTM's rate.

Paper and reference code only ever freeze it (the code's switch does nothing): the factor is this project's choice.
"""

_base_ = "nic_coco.py"

model = dict(encoder=dict())  # the backbone's preprocessing, filled in by captioning/train.py
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(encoder=dict(lr_mult=0.01))))
