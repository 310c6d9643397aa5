"""All networks of timm that give feature maps, under timm's names: described from a module when a config names one."""

from workflow.contracts import NetworkFamily

FAMILY = NetworkFamily(prefix="timm/", title="NAME", describe="backbones.timm_networks:describe")
